"""Filters of lists by run: the periods that it found due, their invoices, and what is about those."""

import uuid
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest

from rebilling.models import Run
from rebilling.run_invoices import invoices_of_run

MAX_RUNS = 20


def run_in_words(run: Run) -> str:
    """With the time, as there may be several a day."""
    return f"{run} at {run.started_at:%H:%M}"


class RunFilter(admin.SimpleListFilter):
    """Offers the newest runs, and the one that was chosen."""

    title = "run"
    parameter_name = "run"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        newest = {str(run.id): run_in_words(run) for run in Run.objects.order_by("-id")[:MAX_RUNS]}
        chosen = self.value()
        return list((newest if chosen is None else {chosen: "the chosen run"} | newest).items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        if chosen is None:
            return queryset
        try:
            return self.of_run(queryset, uuid.UUID(chosen))
        except ValueError:
            raise IncorrectLookupParameters(f"{chosen!r} is no run's id") from None

    def of_run(self, queryset: QuerySet[Any], run_id: uuid.UUID) -> QuerySet[Any]:
        return queryset.filter(run_id=run_id)


class _OfItsInvoices(RunFilter):
    invoice: ClassVar[str]
    """Leads from a row to its invoice's id."""

    def of_run(self, queryset: QuerySet[Any], run_id: uuid.UUID) -> QuerySet[Any]:
        return queryset.filter(**{f"{self.invoice}__in": invoices_of_run(run_id)})


class InvoicesOfRun(_OfItsInvoices):
    invoice = "pk"


class PaymentsOfRun(_OfItsInvoices):
    invoice = "invoice"


class RefundsOfRun(_OfItsInvoices):
    invoice = "payment__invoice"


class EntriesOfRun(_OfItsInvoices):
    invoice = "invoice_id"
