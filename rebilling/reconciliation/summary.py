"""The reconciliation of a run, derived from rows alone: due = charged + skipped (reason) + parked (reason).

Unexplained are the run's rows that are DUE for longer than `REBILLING_DUE_MINUTES`, and the periods that are due by the
calendar on its date but have no row. Until then, rows that are DUE are neither charged nor unexplained; those of a HELD
run wait for a person, however long.
"""

import datetime
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import Count, Q, Sum

from accounts.billing_day import billing_day
from payments.models import Payment
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.missing_periods import MissingPeriod, missing_periods
from rebilling.run_figures import run_payments
from rebilling.sweep_lock import may_find_more

MAX_NAMED = 20
"""Unexplained periods that a reconciliation names."""


@dataclass(slots=True)
class Tally:
    """Periods, and their amounts in minor units by currency; skipped and parked ones also by reason."""

    periods: int = 0
    amount_minor: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, *, periods: int, amount_minor: int, currency: str, reason: str = "") -> None:
        self.periods += periods
        self.amount_minor[currency] = self.amount_minor.get(currency, 0) + amount_minor
        if reason:
            self.reasons[reason] = self.reasons.get(reason, 0) + periods


@dataclass(slots=True, kw_only=True)
class Reconciliation:
    """What became of a run. `payments` counts its charges' payments by their present status, in lower case."""

    run_id: uuid.UUID
    kind: str
    as_of: datetime.date
    status: str
    held_because: str = ""
    due: Tally = field(default_factory=Tally)
    charged: Tally = field(default_factory=Tally)
    skipped: Tally = field(default_factory=Tally)
    parked: Tally = field(default_factory=Tally)
    unexplained: Tally = field(default_factory=Tally)
    payments: dict[str, int] = field(default_factory=lambda: {status.lower(): 0 for status in Payment.Status.values})

    unexplained_first: list[str] = field(default_factory=list)
    """The first unexplained periods, for the person who looks into them: each period's key, and what is wrong."""
    sweeping: bool = False
    """Whether the sweep is running, or was cut off only recently, so that another may make up for it."""
    searched: bool = True
    """Whether all accounts were searched for periods that the sweep should have found."""
    day_goes_on: bool = False
    """Whether more may be billed on demand in it: its day isn't over."""

    @property
    def waiting(self) -> int:
        """Periods that are DUE and not overdue, or held."""
        explained = self.charged.periods + self.skipped.periods + self.parked.periods
        return self.due.periods - explained - self.unexplained.periods

    @property
    def clean(self) -> bool:
        """Whether everything that was found due is explained, and every payment was submitted to the gateway."""
        return not self.waiting and not self.unexplained.periods and not self.payments["submitted"]


def reconciliation_of(*, run: Run, now: datetime.datetime) -> Reconciliation:
    """The run's reconciliation at `now`."""
    return reconciliations_of(runs=[run], now=now)[0]


def reconciliations_of(*, runs: Collection[Run], now: datetime.datetime) -> list[Reconciliation]:
    """The reconciliations of the runs, in their order.

    A constant number of statements, plus some for each few hundred accounts whose periods may be incomplete.
    """
    by_run = {
        run.id: Reconciliation(
            run_id=run.id, kind=run.kind, as_of=run.as_of, status=run.status, held_because=run.held_because
        )
        for run in runs
    }
    today = billing_day(now)
    for run in runs:
        if run.is_on_demand:
            by_run[run.id].day_goes_on = run.as_of >= today
            continue
        by_run[run.id].sweeping = may_find_more(run, now=now)
        by_run[run.id].searched = run.gaps_searched_at is not None
    frozen = [run for run in runs if run.status == Run.Status.RECONCILED]
    for run in frozen:
        _take_figures(by_run[run.id], run)
    _count_rows({run.id: by_run[run.id] for run in runs if run not in frozen}, now)
    _count_payments(by_run, frozen=frozen)
    # A reconciled run is done; a sweep that is still running hasn't got to every account yet, and what is billed on
    # demand is no search for what is due.
    complete = [
        run for run in runs if run.status == Run.Status.OPEN and not by_run[run.id].sweeping and not run.is_on_demand
    ]
    if complete:
        _count_missing(by_run, complete, today=today)
    return list(by_run.values())


def _time_limit() -> datetime.timedelta:
    return datetime.timedelta(minutes=settings.REBILLING_DUE_MINUTES)


_TALLY_BY_STATUS = {
    Rebilling.Status.SKIPPED: "skipped",
    Rebilling.Status.PARKED: "parked",
}


def _take_figures(reconciliation: Reconciliation, run: Run) -> None:
    """What a RECONCILED run came to. A check that its rows still say so is made daily."""
    for row in (run.figures or {})["periods"]:
        counted = {"periods": row["periods"], "amount_minor": row["amount_minor"], "currency": row["currency"]}
        reconciliation.due.add(**counted)
        tally: Tally = getattr(reconciliation, row["outcome"].lower())
        tally.add(**counted, reason=row["reason"])


def _count_rows(by_run: dict[uuid.UUID, Reconciliation], now: datetime.datetime) -> None:
    overdue = Q(status=Rebilling.Status.DUE, due_since__lte=now - _time_limit()) & ~Q(run__status=Run.Status.HELD)
    rows = (
        Rebilling.objects.filter(run_id__in=by_run)
        .values_list("run_id", "status", "reason", "currency")
        .annotate(
            periods=Count("id"),
            amount=Sum("amount_minor"),
            overdue=Count("id", filter=overdue),
            overdue_amount=Sum("amount_minor", filter=overdue, default=0),
        )
        .order_by("status", "reason", "currency")
    )
    for run_id, status, reason, currency, periods, amount, late, late_amount in rows:
        reconciliation = by_run[run_id]
        reconciliation.due.add(periods=periods, amount_minor=int(amount), currency=currency)
        if status != Rebilling.Status.DUE:
            tally: Tally = getattr(reconciliation, _TALLY_BY_STATUS.get(status, "charged"))
            tally.add(periods=periods, amount_minor=int(amount), currency=currency, reason=reason)
        elif late and not reconciliation.sweeping:
            reconciliation.unexplained.add(periods=late, amount_minor=int(late_amount), currency=currency)
    for reconciliation in by_run.values():
        if reconciliation.unexplained.periods:
            first = Rebilling.objects.filter(overdue, run_id=reconciliation.run_id).order_by(
                "account_id", "period_start"
            )
            reconciliation.unexplained_first = [
                f"{row.account_id} from {row.period_start} is still DUE" for row in first[:MAX_NAMED]
            ]


def _count_payments(by_run: dict[uuid.UUID, Reconciliation], *, frozen: Collection[Run]) -> None:
    """Counted anew where a payment's outcome wasn't known when its run was reconciled: the others are as they were."""
    final = {
        run.id: run.figures["payments"] for run in frozen if run.figures and not run.figures["payments"].get("unknown")
    }
    for run_id, payments in {**run_payments(by_run.keys() - final.keys()), **final}.items():
        by_run[run_id].payments |= payments


def _count_missing(by_run: dict[uuid.UUID, Reconciliation], runs: Collection[Run], *, today: datetime.date) -> None:
    """Count each missing period against every run that should have found it. None that starts after today is due."""
    for missing in missing_periods(as_of=min(today, max(run.as_of for run in runs))):
        for run in runs:
            if _should_have_found(run, missing):
                reconciliation = by_run[run.id]
                for tally in (reconciliation.due, reconciliation.unexplained):
                    tally.add(periods=1, amount_minor=missing.amount_minor, currency=missing.currency)
                if len(reconciliation.unexplained_first) < MAX_NAMED:
                    reconciliation.unexplained_first.append(
                        f"{missing.account_id} from {missing.period.start} has no row"
                    )


def _should_have_found(run: Run, missing: MissingPeriod) -> bool:
    """Whether the run should have found the period.

    An account that was opened shortly before the run began may not have been committed yet, by a slow request or a long
    import. The next sweep finds it; only a period that no sweep will find is missing at once.
    """
    margin = datetime.timedelta() if missing.passed_over else _time_limit()
    return missing.period.start <= run.as_of and missing.billing_since <= run.started_at - margin
