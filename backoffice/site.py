"""The admin's site: Django's, with what ours has beside it and without what nobody needs here."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.core.exceptions import BadRequest
from django.http import HttpRequest


class StaffSite(AdminSite):
    site_header = "Billing"
    site_title = "Billing"
    index_title = "Who is billed, what they were charged, and what was paid"
    site_url = None

    def get_urls(self) -> list[Any]:
        # No row has a page outside the admin, and Django's way there fails for an id that its kind can't have.
        return [url for url in super().get_urls() if getattr(url, "name", "") != "view_on_site"]

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            _refuse_nul(request)
            return view(request, *args, **kwargs)

        return super().admin_view(checked, cacheable)


class StaffSiteConfig(AdminConfig):
    """The Django admin, served by our site."""

    default_site = "backoffice.site.StaffSite"


def _refuse_nul(request: HttpRequest) -> None:
    """PostgreSQL keeps no such text, and can't be asked for it. What a form posts is looked at by its fields."""
    for name, values in request.GET.lists():
        if any("\0" in text for text in (name, *values)):
            raise BadRequest("The query holds a NUL character.")
