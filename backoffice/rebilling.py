"""Runs with their reconciliations, and billing periods. People decide here about HELD runs and PARKED periods."""

import datetime
from typing import Any

from django.contrib import admin

from accounts import clock
from accounts.billing_day import billing_day
from accounts.currencies import display
from accounts.errors import OperationError
from accounts.models import Account
from accounts.phrases import period_in_words
from backoffice.actions import ActingAdmin, Action, Caller
from backoffice.base import link, money
from backoffice.links import link_to, list_of
from backoffice.run_filters import RunFilter, run_in_words
from backoffice.tables import Table
from invoices.models import Invoice
from payments.dunning_steps import steps_by_currency
from payments.messages.queue import Queue, QueueNotConfigured, configured_queue
from rebilling.models import Rebilling, Run
from rebilling.parked_periods import cancel_parked, release_parked, skip_parked
from rebilling.reconciliation.presentation import amounts_of, verdict
from rebilling.reconciliation.summary import Reconciliation, reconciliation_of
from rebilling.run_review import cancel_run, release_run


def _release_run(run: Run, data: dict[str, Any], caller: Caller) -> None:
    release_run(run_id=run.id, reason=data["reason"], author=caller.author, now=caller.now, queue=_queue())


def _queue() -> Queue:
    try:
        return configured_queue()
    except QueueNotConfigured as error:
        raise OperationError(str(error)) from error


def _cancel_run(run: Run, data: dict[str, Any], caller: Caller) -> None:
    cancel_run(run_id=run.id, reason=data["reason"], author=caller.author, now=caller.now)


def _cancel_parked(run: Run, data: dict[str, Any], caller: Caller) -> None:
    cancel_parked(run_id=run.id, reason=data["reason"], author=caller.author, now=caller.now)


def _is_held(run: Run) -> bool:
    return run.status == Run.Status.HELD


def _has_parked(run: Run) -> bool:
    return run.rebillings.filter(status=Rebilling.Status.PARKED).exists()


RELEASE_RUN = Action(
    name="release",
    label="Release this run",
    explanation="Everything that the run found due is charged and, where it is a sweep's, the steps of dunning that "
    "have come are taken. First check why the run is held, its periods and their amounts.",
    done="The run was released and is being charged.",
    permission="release_run",
    offered=_is_held,
    perform=_release_run,
)
CANCEL_RUN = Action(
    name="cancel",
    label="Cancel this run",
    explanation="Nothing of the run is charged. The next sweep finds again what is due then: before that, correct what "
    "was wrong with this one.",
    done="The run was cancelled. Nothing of it is charged.",
    permission="cancel_run",
    offered=_is_held,
    perform=_cancel_run,
)

CANCEL_PARKED = Action(
    name="cancel-parked",
    label="Cancel parked periods",
    explanation="None of the run's parked periods is charged. The next sweep finds again what is due then: before "
    "that, correct what was wrong with them.",
    done="The parked periods were cancelled.",
    permission="cancel_run",
    offered=_has_parked,
    perform=_cancel_parked,
)


@admin.register(Run)
class RunAdmin(ActingAdmin):
    list_display = ("as_of", "kind", "status", "started_at", "swept_at", "reconciled_at")
    list_filter = ("kind", "status", "as_of")
    fields = (
        "id",
        "kind",
        "as_of",
        "status",
        "started_at",
        "swept_at",
        "passed_at",
        "held_because",
        "decided_at",
        "decision",
        "reconciled_at",
    )
    page_actions = (RELEASE_RUN, CANCEL_RUN, CANCEL_PARKED)

    def page_context(self, row: Run) -> dict[str, Any]:
        now = clock.now()
        found = reconciliation_of(run=row, now=now)
        tables = [_reconciliation_table(found), _payments_table(found)]
        if _is_held(row) and not row.is_on_demand:
            tables.append(_dunning_table(billing_day(now)))
        return {"tables": tables}


def _reconciliation_table(found: Reconciliation) -> Table:
    tallies = {
        "due": found.due,
        "charged": found.charged,
        "skipped": found.skipped,
        "parked": found.parked,
        "unexplained": found.unexplained,
    }
    return Table(
        title=f"Reconciliation: {verdict(found)}",
        columns=("", "Periods", "Amount", "Reasons"),
        rows=[
            (
                name,
                f"{tally.periods:,}",
                amounts_of(tally),
                ", ".join(f"{reason} {periods:,}" for reason, periods in sorted(tally.reasons.items())),
            )
            for name, tally in tallies.items()
        ],
        all_url=list_of(Rebilling, run=found.run_id),
        all_label="The billing periods of this run",
    )


def _payments_table(found: Reconciliation) -> Table:
    return Table(
        title="First payments of its invoices",
        columns=("Status", "Payments"),
        rows=[(status, f"{count:,}") for status, count in found.payments.items()],
        all_url=list_of(Invoice, run=found.run_id),
        all_label="The invoices of this run",
    )


def _dunning_table(day: datetime.date) -> Table:
    """The steps of dunning that the run's release takes: whoever decides should see them."""
    return Table(
        title="Declined invoices that are tried again with it, at most",
        columns=("Invoices", "Amount"),
        rows=[
            (f"{invoices:,}", display(amount_minor=amount, currency=currency))
            for currency, invoices, amount in steps_by_currency(today=day)
        ],
        all_url=list_of(Account, dunning_on__lte=day.isoformat()),
        all_label="Their accounts",
    )


def _release(rebilling: Rebilling, data: dict[str, Any], caller: Caller) -> None:
    release_parked(rebilling_id=rebilling.id, reason=data["reason"], author=caller.author, now=caller.now)


def _skip(rebilling: Rebilling, data: dict[str, Any], caller: Caller) -> None:
    skip_parked(rebilling_id=rebilling.id, reason=data["reason"], author=caller.author, now=caller.now)


def _is_parked(rebilling: Rebilling) -> bool:
    return rebilling.status == Rebilling.Status.PARKED


RELEASE = Action(
    name="release",
    label="Charge this period",
    explanation="The period becomes due again, and so do later ones that were parked only because of it. The hourly "
    "check or the next sweep sends them to be charged.",
    done="The period will be charged.",
    permission="release_parked",
    offered=_is_parked,
    perform=_release,
)
SKIP = Action(
    name="skip",
    label="Skip this period",
    explanation="The period is never charged, and the account goes on with the next one. Later periods that were "
    "parked only because of it become due again.",
    done="The period was skipped.",
    permission="skip_parked",
    offered=_is_parked,
    perform=_skip,
)


@admin.register(Rebilling)
class RebillingAdmin(ActingAdmin):
    list_display = ("account_link", "period", "status", "reason", "amount", "invoice_link", "run_link")
    list_filter = ("status", "reason", "period_start", RunFilter)
    list_display_links = ("period",)
    list_select_related = ("account", "run", "invoice")
    search_fields = ("=account__external_reference", "account__name")
    search_help_text = "An id, an account's external reference or its name"
    fields = (
        "id",
        "account_link",
        "run_link",
        "period",
        "status",
        "reason",
        "detail",
        "description",
        "quantity",
        "unit_price",
        "discount_taken_off",
        "amount",
        "items",
        "tax_rate",
        "ended_on",
        "invoice_link",
        "due_since",
    )
    page_actions = (RELEASE, SKIP)
    linked_lookups = ("account__id__exact",)

    account_link = link("account", description="account")

    @admin.display(description="run", ordering="run")
    def run_link(self, rebilling: Rebilling) -> Any:
        return link_to(rebilling.run, label=run_in_words(rebilling.run))

    invoice_link = link("invoice", description="invoice")
    unit_price = money("unit_amount_minor", description="unit price")
    discount_taken_off = money("discount_minor", description="discount")
    amount = money("amount_minor", description="price per period")

    @admin.display(description="items invoiced with it")
    def items(self, row: Rebilling) -> str | None:
        return None if row.items_minor is None else display(amount_minor=row.items_minor, currency=row.currency)

    @admin.display(description="period", ordering="period_start")
    def period(self, rebilling: Rebilling) -> str:
        return period_in_words(start=rebilling.period_start, end=rebilling.period_end)
