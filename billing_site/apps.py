from django.apps import AppConfig


class BillingSiteConfig(AppConfig):
    name = "billing_site"

    def ready(self) -> None:
        from billing_site import checks  # noqa: F401, PLC0415 (registers them)
