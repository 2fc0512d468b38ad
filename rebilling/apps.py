from django.apps import AppConfig


class RebillingConfig(AppConfig):
    name = "rebilling"

    def ready(self) -> None:
        from invoices.period_claims import register  # noqa: PLC0415 (models come after the apps)
        from rebilling.period_claims import RebillingClaims  # noqa: PLC0415

        register(RebillingClaims())
