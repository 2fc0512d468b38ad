"""The admin site: Django's, with a notice about the gateway and stricter requests."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite, autodiscover
from django.contrib.admin.apps import SimpleAdminConfig
from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.template.response import TemplateResponse

from backoffice.staff_sessions import end_if_too_old
from payments.gateways.configuration import configured_gateway_name
from payments.gateways.logging_gateway import LoggingGateway

NO_MONEY = (
    "No money is collected: the logging gateway is configured. Payments are recorded as if they had succeeded. Set "
    "PAYMENT_GATEWAY to collect them."
)
"""On every page of a public installation: the cash in its ledger isn't real."""
NO_MONEY_HERE = "A trial on this machine: no money is collected. The logging gateway records each payment as succeeded."
"""On the first page of a local installation."""


class StaffSite(AdminSite):
    site_header = "Billing"
    site_title = "Billing"
    index_title = "Who is billed, what they owe, and what was paid"
    site_url = None

    def has_permission(self, request: HttpRequest) -> bool:
        end_if_too_old(request)
        return super().has_permission(request)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        if settings.SECURE and self._collects_nothing(request):
            context["gateway_notice"] = NO_MONEY
        return context

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        if not settings.SECURE and self._collects_nothing(request):
            extra_context = {"gateway_notice": NO_MONEY_HERE} | (extra_context or {})
        return super().index(request, extra_context)

    def _collects_nothing(self, request: HttpRequest) -> bool:
        """Only shown to staff."""
        return self.has_permission(request) and configured_gateway_name() == LoggingGateway.name

    def get_urls(self) -> list[Any]:
        # No row has a page outside the admin, and Django's redirect to one fails on a malformed id.
        return [url for url in super().get_urls() if getattr(url, "name", "") != "view_on_site"]

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            _refuse_nul(request)
            return view(request, *args, **kwargs)

        return super().admin_view(checked, cacheable)


class StaffSiteConfig(SimpleAdminConfig):
    """The Django admin with our site. Its pages are loaded with the first request for one (`backoffice/urls.py`), and
    no start waits for them but a local process's, whose checks are to see them.
    """

    default_site = "backoffice.site.StaffSite"

    def ready(self) -> None:
        super().ready()
        if not settings.FUNCTION_DUTY:
            autodiscover()


def _refuse_nul(request: HttpRequest) -> None:
    """Refuse NUL in the query string: PostgreSQL can't store it, and fails on it. Form fields check what is posted."""
    for name, values in request.GET.lists():
        if any("\0" in text for text in (name, *values)):
            raise BadRequest("The query contains a NUL character.")
