"""Runs with their reconciliations, and billing periods. People decide here about HELD runs and PARKED periods."""

from typing import Any

from django.contrib import admin

from accounts import clock
from accounts.currencies import display
from accounts.errors import OperationError
from backoffice.actions import ActingAdmin, Action, Caller
from backoffice.base import link, money
from backoffice.links import list_of
from backoffice.tables import Table
from rebilling.dunning import retries_by_currency
from rebilling.messages.queue import Queue, QueueNotConfigured, configured_queue
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
    explanation="Everything that the run found due is charged, and earlier charges whose retry is due are collected "
    "again. First check why the run is held, its periods and their amounts.",
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
    list_display = ("as_of", "status", "started_at", "swept_at", "reconciled_at")
    list_filter = ("status",)
    fields = (
        "id",
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
        found = reconciliation_of(run=row, now=clock.now())
        tables = [_reconciliation_table(found), _payments_table(found)]
        if _is_held(row):
            tables.append(_retries_table(row))
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
        all_url=list_of(Rebilling, run__id__exact=found.run_id),
        all_label="The periods of this run",
    )


def _payments_table(found: Reconciliation) -> Table:
    return Table(
        title="Payments of its charges",
        columns=("Status", "Payments"),
        rows=[(status, f"{count:,}") for status, count in found.payments.items()],
    )


def _retries_table(run: Run) -> Table:
    """The retries that the run's release sends: whoever decides should see them."""
    amounts = retries_by_currency(as_of=run.as_of)
    return Table(
        title="Retries that are sent with it",
        columns=("Charges", "Amount"),
        rows=[
            (f"{charges:,}", display(amount_minor=amount, currency=currency)) for currency, charges, amount in amounts
        ],
        all_url=list_of(Rebilling, retry_on__lte=run.as_of.isoformat()),
        all_label="These charges",
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
    list_display = ("account_link", "period", "status", "reason", "amount", "paid", "run_link")
    list_filter = ("status", "reason")
    list_display_links = ("period",)
    list_select_related = ("account", "run")
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
        "quantity",
        "amount",
        "credit",
        "paid",
        "outstanding",
        "charge_link",
        "retry_on",
        "due_since",
    )
    page_actions = (RELEASE, SKIP)
    linked_lookups = ("account__id__exact", "run__id__exact", "retry_on__lte")

    account_link = link("account", description="account")
    run_link = link("run", description="run")
    charge_link = link("charge", description="charge")
    amount = money("amount_minor", description="amount")
    credit = money("credit_minor", description="from credit")
    paid = money("paid_minor", description="paid")
    outstanding = money("outstanding_minor", description="outstanding")

    @admin.display(description="period", ordering="period_start")
    def period(self, rebilling: Rebilling) -> str:
        return rebilling.period
