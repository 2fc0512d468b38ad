"""The admin site: Django's, with a notice about the gateway and stricter requests."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.core.exceptions import BadRequest
from django.db.models import Model
from django.http import HttpRequest
from django.template.response import TemplateResponse

from accounts import clock
from backoffice.staff_sessions import end_if_too_old
from backoffice.tables import Table
from backoffice.work_list import last_runs, work_list
from payments.gateways.configuration import configured_gateway_name
from payments.gateways.logging_gateway import LoggingGateway
from rebilling.models import Run

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
        context = {"tables": self._first_tables(request)} | (extra_context or {})
        if not settings.SECURE and self._collects_nothing(request):
            context = {"gateway_notice": NO_MONEY_HERE} | context
        return super().index(request, context)

    def _first_tables(self, request: HttpRequest) -> list[Table]:
        """What waits for a person, and the last runs, as far as this one may see them."""

        def may_view(model: type[Model]) -> bool:
            return self._registry[model].has_view_permission(request)

        now = clock.now()
        tables = [work_list(may_view=may_view, now=now)]
        return [*tables, last_runs(now=now)] if may_view(Run) else tables

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


def _refuse_nul(request: HttpRequest) -> None:
    """Refuse NUL in the query string: PostgreSQL can't store it, and fails on it. Form fields check what is posted."""
    for name, values in request.GET.lists():
        if any("\0" in text for text in (name, *values)):
            raise BadRequest("The query contains a NUL character.")
