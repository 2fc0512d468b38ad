from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import pre_save

from accounts import clock


class LocalcloudConfig(AppConfig):
    name = "localcloud"

    def ready(self) -> None:
        if settings.CLOCK != "django.utils.timezone.now":
            pre_save.connect(_date_by_the_platforms_clock, sender="admin.LogEntry")


def _date_by_the_platforms_clock(*, instance: Any, **_: Any) -> None:
    """Django dates the admin's history by the real clock, beside rows that are dated by the platform's."""
    if instance._state.adding:
        instance.action_time = clock.now()
