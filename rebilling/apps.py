from django.apps import AppConfig


class RebillingConfig(AppConfig):
    name = "rebilling"
