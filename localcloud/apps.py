from django.apps import AppConfig


class LocalcloudConfig(AppConfig):
    name = "localcloud"
