"""The admin's site: Django's, with what ours has beside it and without what nobody needs here."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.template.response import TemplateResponse

from payments.gateways.configured import configured_gateway_name
from payments.gateways.logging_gateway import LoggingGateway

NO_MONEY = (
    "No money is collected: the logging gateway is configured. Payments are recorded as if they had succeeded. Set "
    "PAYMENT_GATEWAY to collect them."
)
"""On every page of an installation that the world reaches: what its ledger calls cash is none."""
NO_MONEY_HERE = "A trial on this machine: no money is collected. The logging gateway records each payment as succeeded."
"""On the first page of one that isn't for anybody else."""


class StaffSite(AdminSite):
    site_header = "Billing"
    site_title = "Billing"
    index_title = "Who is billed, what they were charged, and what was paid"
    site_url = None

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
        """For the staff alone: it is nobody else's to know."""
        return self.has_permission(request) and configured_gateway_name() == LoggingGateway.name

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
