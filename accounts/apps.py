from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        # It registers its own way to read ids when it is imported.
        from django.db.backends.postgresql import base  # noqa: F401, PLC0415 - models come before it

        from accounts.ids import read_ids_once  # noqa: PLC0415

        read_ids_once()
