from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin import autodiscover
from django.contrib.admin.apps import SimpleAdminConfig


class BackofficeConfig(AppConfig):
    name = "backoffice"
    default = True

    def ready(self) -> None:
        from backoffice import login_locks  # noqa: F401, PLC0415 - its receivers; models come before them


class StaffSiteConfig(SimpleAdminConfig):
    """The Django admin with our site. Its pages are loaded with the first request for one (`backoffice/urls.py`), and
    no start waits for them but a local process's, whose checks are to see them.
    """

    default_site = "backoffice.site.StaffSite"

    def ready(self) -> None:
        super().ready()
        if not settings.FUNCTION_DUTY:
            autodiscover()
