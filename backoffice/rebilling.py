"""Runs with their certificates, and periods: what is PARKED waits for a person here."""

from typing import Any

from django.contrib import admin

from accounts import clock
from accounts.currencies import display
from accounts.refusals import Refusal
from backoffice.actions import Act, ActingAdmin, Action
from backoffice.base import link, money
from backoffice.links import list_of
from backoffice.tables import Table
from rebilling.certificate import Certificate, certificate
from rebilling.held import cancel_run, release_run
from rebilling.models import Rebilling, Run
from rebilling.parked import cancel_parked, release_parked, skip_parked
from rebilling.presentation import amounts_of, verdict
from rebilling.queue import Queue, QueueNotConfigured, configured_queue
from rebilling.retries import amounts_of_retries


def _release_run(run: Run, said: dict[str, Any], act: Act) -> None:
    release_run(run_id=run.id, reason=said["reason"], author=act.author, now=act.now, queue=_queue())


def _queue() -> Queue:
    try:
        return configured_queue()
    except QueueNotConfigured as error:
        raise Refusal(str(error)) from error


def _cancel_run(run: Run, said: dict[str, Any], act: Act) -> None:
    cancel_run(run_id=run.id, reason=said["reason"], author=act.author, now=act.now)


def _cancel_parked(run: Run, said: dict[str, Any], act: Act) -> None:
    cancel_parked(run_id=run.id, reason=said["reason"], author=act.author, now=act.now)


def _is_held(run: Run) -> bool:
    return run.status == Run.Status.HELD


def _has_parked(run: Run) -> bool:
    return run.rebillings.filter(status=Rebilling.Status.PARKED).exists()


RELEASE_RUN = Action(
    name="release",
    label="Release this run",
    explanation="Everything that the run found due is sent and charged, and charges of before whose retry has come are "
    "collected again. Look first at why it is held, at its periods, and at their amounts.",
    done="The run was released: it is being charged.",
    permission="release_run",
    offered=_is_held,
    perform=_release_run,
)
CANCEL_RUN = Action(
    name="cancel",
    label="Cancel this run",
    explanation="Nothing of the run is charged. The next sweep finds again what is due then: correct before that what "
    "made this one wrong.",
    done="The run was cancelled: nothing of it is charged.",
    permission="cancel_run",
    offered=_is_held,
    perform=_cancel_run,
)

CANCEL_PARKED = Action(
    name="cancel-parked",
    label="Cancel its parked periods",
    explanation="None of the run's parked periods is charged. The next sweep finds again what is due then: correct "
    "before that what made them wrong.",
    done="The parked periods were cancelled.",
    permission="cancel_run",
    offered=_has_parked,
    perform=_cancel_parked,
)


@admin.register(Run)
class RunAdmin(ActingAdmin):
    list_display = ("as_of", "status", "started_at", "swept_at", "certified_at")
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
        "certified_at",
    )
    page_actions = (RELEASE_RUN, CANCEL_RUN, CANCEL_PARKED)

    def page_context(self, row: Run) -> dict[str, Any]:
        found = certificate(run=row, now=clock.now())
        tables = [_certificate_table(found), _payments_table(found)]
        if _is_held(row):
            tables.append(_retries_table(row))
        return {"tables": tables}


def _certificate_table(found: Certificate) -> Table:
    tallies = {
        "due": found.due,
        "charged": found.charged,
        "skipped": found.skipped,
        "parked": found.parked,
        "unexplained": found.unexplained,
    }
    return Table(
        title=f"Certificate: {verdict(found)}",
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


def _payments_table(found: Certificate) -> Table:
    return Table(
        title="Payments of its charges",
        columns=("Status", "Payments"),
        rows=[(status, f"{count:,}") for status, count in found.payments.items()],
    )


def _retries_table(run: Run) -> Table:
    """The charges that the run's release collects again: whoever decides must be able to look at them."""
    amounts = amounts_of_retries(as_of=run.as_of)
    return Table(
        title="Charges to be collected again with it",
        columns=("Charges", "Amount"),
        rows=[(f"{charges:,}", display(amount_minor=amount, currency=of)) for of, charges, amount in amounts],
        all_url=list_of(Rebilling, retry_on__lte=run.as_of.isoformat()),
        all_label="These charges",
    )


def _release(rebilling: Rebilling, said: dict[str, Any], act: Act) -> None:
    release_parked(rebilling_id=rebilling.id, reason=said["reason"], author=act.author, now=act.now)


def _skip(rebilling: Rebilling, said: dict[str, Any], act: Act) -> None:
    skip_parked(rebilling_id=rebilling.id, reason=said["reason"], author=act.author, now=act.now)


def _is_parked(rebilling: Rebilling) -> bool:
    return rebilling.status == Rebilling.Status.PARKED


RELEASE = Action(
    name="release",
    label="Charge it again",
    explanation="The period is due again, and so are those that were parked only because of it. The hourly schedule "
    "or the next sweep sends them to be charged.",
    done="The period is due again.",
    permission="release_parked",
    offered=_is_parked,
    perform=_release,
)
SKIP = Action(
    name="skip",
    label="Skip this period",
    explanation="The period is never charged, and the account goes on with the next one. Periods that were parked "
    "only because of it are due again.",
    done="The period was skipped.",
    permission="skip_parked",
    offered=_is_parked,
    perform=_skip,
)


@admin.register(Rebilling)
class RebillingAdmin(ActingAdmin):
    list_display = ("account_link", "period_start", "period_end", "status", "reason", "amount", "paid", "run_link")
    list_filter = ("status", "reason")
    list_display_links = ("period_start",)
    list_select_related = ("account", "run")
    search_fields = ("=account__external_reference", "account__name")
    search_help_text = "An id, an account's external reference or its name"
    fields = (
        "id",
        "account_link",
        "run_link",
        "period_start",
        "period_end",
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
    outstanding = money("outstanding_minor", description="still to be collected")
