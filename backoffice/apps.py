from django.apps import AppConfig


class BackofficeConfig(AppConfig):
    name = "backoffice"

    def ready(self) -> None:
        from backoffice import login_locks  # noqa: F401, PLC0415 - its receivers; models come before them
