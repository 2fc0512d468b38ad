"""What waits for a person, and how the last runs went: the first page of the admin."""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Subquery
from django.utils.html import format_html
from django.utils.timesince import timesince

from accounts.phrases import counted
from backoffice.links import link_to, list_of
from backoffice.run_filters import run_in_words
from backoffice.tables import Table
from payments.models import Payment, Refund
from rebilling.models import BooksCheck, Rebilling, Run
from rebilling.reconciliation.presentation import amounts_of, verdict
from rebilling.reconciliation.summary import reconciliations_of

MAX_COUNTED = 100
"""Of each kind. Of more, that is said, so that the page costs the same however much waits."""
LAST_RUNS = 3


@dataclass(frozen=True, slots=True)
class _Kind:
    """Rows that wait for a person since the time in the field `since`. `to_do` is what the person does about each, on
    its page.
    """

    noun: str
    plural: str
    model: type[Model]
    filters: dict[str, Any]
    since: str
    to_do: str


_KINDS = (
    _Kind(
        "held run",
        "held runs",
        Run,
        {"status": Run.Status.HELD},
        "started_at",
        "Check why it is held, and release or cancel it: nothing of it is charged until then",
    ),
    _Kind(
        "parked period",
        "parked periods",
        Rebilling,
        {"status": Rebilling.Status.PARKED},
        "due_since",
        "Read the reason, and charge or skip it: the account isn't billed until then",
    ),
    _Kind(
        "payment that needs attention",
        "payments that need attention",
        Payment,
        {"needs_review": 1},
        "submitted_at",
        "Read why, and record what became of it: its invoice isn't collected until then",
    ),
    _Kind(
        "refund that needs attention",
        "refunds that need attention",
        Refund,
        {"needs_review": 1},
        "submitted_at",
        "Read why, and record what became of it",
    ),
)


def work_list(*, may_view: Callable[[type[Model]], bool], now: datetime.datetime) -> Table:
    """The kinds of rows that wait for a person, of those that `may_view` allows, each with its number and the age of
    its oldest.
    """
    rows = [row for kind in _KINDS if may_view(kind.model) and (row := _row(kind, now))]
    if may_view(Run) and (row := _discrepancies(now)):
        rows.append(row)
    return Table(
        title="Waits for a person",
        columns=("What", "The oldest", "What to do"),
        rows=rows,
        empty="Nothing waits for a person.",
    )


def last_runs(*, now: datetime.datetime) -> Table:
    """The newest runs, and what became of each."""
    runs = list(Run.objects.order_by("-id")[:LAST_RUNS])
    return Table(
        title="The last runs",
        columns=("Run", "Reconciliation", "Due", "Charged", "Amount"),
        rows=[
            (
                link_to(run, label=run_in_words(run)),
                verdict(found),
                f"{found.due.periods:,}",
                f"{found.charged.periods:,}",
                amounts_of(found.charged),
            )
            for run, found in zip(runs, reconciliations_of(runs=runs, now=now), strict=True)
        ],
        empty="None yet: the first sweep makes one.",
        all_url=list_of(Run) if runs else "",
        all_label="All runs",
    )


def _row(kind: _Kind, now: datetime.datetime) -> Sequence[object] | None:
    """The oldest is the first by id: ids are by time, and each of these has an index of such rows."""
    found: list[datetime.datetime] = list(
        kind.model._default_manager.filter(**kind.filters)
        .order_by("id")
        .values_list(kind.since, flat=True)[: MAX_COUNTED + 1]
    )
    if not found:
        return None
    count = (
        f"More than {MAX_COUNTED} {kind.plural}"
        if len(found) > MAX_COUNTED
        else counted(len(found), kind.noun, kind.plural)
    )
    path = list_of(
        kind.model, **{f"{name}__exact": int(value) if value is True else value for name, value in kind.filters.items()}
    )
    return format_html('<a href="{}">{}</a>', path, count), _age(found[0], now), kind.to_do


def _discrepancies(now: datetime.datetime) -> Sequence[object] | None:
    """What the last look at the books found that found any, unless all of them have been clean since."""
    checks = BooksCheck.objects.order_by("-started_at")
    last_whole = Subquery(checks.filter(whole=True).values("started_at")[:1])
    found = checks.filter(discrepancies__gt=0).exclude(started_at__lt=last_whole).first()
    if found is None:
        return None
    what = counted(found.discrepancies, "discrepancy in the books", "discrepancies in the books")
    to_do = "The log of the hourly check names each, and the runbook says what to do about it"
    return what, _age(found.started_at, now), to_do


def _age(since: datetime.datetime, now: datetime.datetime) -> str:
    """ "1 day old", by its largest unit."""
    return f"{timesince(since, now, depth=1)} old"
