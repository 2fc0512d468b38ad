"""The certificate of a run, derived from rows alone: due = charged + skipped (reason) + parked (reason).

Unexplained are the run's rows that are still DUE past their time, and the periods that the calendar says are due by
its date and no row has. Until their time is over, rows still DUE are neither charged nor unexplained; those of a HELD
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
from rebilling.coverage import MissingPeriod, missing_periods
from rebilling.message import PeriodKey
from rebilling.models import Rebilling, Run
from rebilling.sweep_lock import is_at_work

MOST_NAMED = 20
"""Unexplained periods that a certificate names."""


@dataclass(slots=True)
class Tally:
    """Periods, and what they amount to in minor units by currency; skipped and parked ones by reason too."""

    periods: int = 0
    amount_minor: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, *, periods: int, amount_minor: int, currency: str, reason: str = "") -> None:
        self.periods += periods
        self.amount_minor[currency] = self.amount_minor.get(currency, 0) + amount_minor
        if reason:
            self.reasons[reason] = self.reasons.get(reason, 0) + periods


@dataclass(slots=True, kw_only=True)
class Certificate:
    """What became of a run. `payments` counts the latest states of its charges' payments, by lower-case status."""

    run_id: uuid.UUID
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
    """The first of the unexplained periods, for the person who looks for them: the period's key, and what is wrong."""
    sweeping: bool = False
    """Whether the sweep is at work, or was cut off so shortly that another may make up for it."""

    @property
    def waiting(self) -> int:
        """Periods that are DUE and still within their time, or held."""
        explained = self.charged.periods + self.skipped.periods + self.parked.periods
        return self.due.periods - explained - self.unexplained.periods

    @property
    def clean(self) -> bool:
        """Whether everything that was found due is explained, and every payment has been asked for."""
        return not self.waiting and not self.unexplained.periods and not self.payments["submitted"]


def certificate(*, run: Run, now: datetime.datetime) -> Certificate:
    """The run's certificate as things stand at `now`."""
    return certificates(runs=[run], now=now)[0]


def certificates(*, runs: Collection[Run], now: datetime.datetime) -> list[Certificate]:
    """The certificates of the runs, in their order.

    In a constant number of statements, but for accounts whose periods don't add up: those are looked at in hundreds.
    """
    by_run = {
        run.id: Certificate(run_id=run.id, as_of=run.as_of, status=run.status, held_because=run.held_because)
        for run in runs
    }
    for run in runs:
        soon = now < run.started_at + _time_limit()
        by_run[run.id].sweeping = run.swept_at is None and (soon or is_at_work(run.id))
    _count_rows(by_run, now)
    _count_payments(by_run)
    # A certified run has answered; one that is being swept has not got to every account yet.
    answering = [run for run in runs if run.status == Run.Status.OPEN and not by_run[run.id].sweeping]
    if answering:
        _count_missing(by_run, answering, today=billing_day(now))
    return list(by_run.values())


def _time_limit() -> datetime.timedelta:
    return datetime.timedelta(minutes=settings.REBILLING_DUE_MINUTES)


_TALLY_BY_STATUS = {
    Rebilling.Status.SKIPPED: "skipped",
    Rebilling.Status.PARKED: "parked",
}


def _count_rows(by_run: dict[uuid.UUID, Certificate], now: datetime.datetime) -> None:
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
        certificate = by_run[run_id]
        certificate.due.add(periods=periods, amount_minor=int(amount), currency=currency)
        if status != Rebilling.Status.DUE:
            tally: Tally = getattr(certificate, _TALLY_BY_STATUS.get(status, "charged"))
            tally.add(periods=periods, amount_minor=int(amount), currency=currency, reason=reason)
        elif late and not certificate.sweeping:
            certificate.unexplained.add(periods=late, amount_minor=int(late_amount), currency=currency)
    for certificate in by_run.values():
        if certificate.unexplained.periods:
            first = Rebilling.objects.filter(overdue, run_id=certificate.run_id).order_by("account_id", "period_start")
            certificate.unexplained_first = [f"{PeriodKey.of(row)} is still DUE" for row in first[:MOST_NAMED]]


def _count_payments(by_run: dict[uuid.UUID, Certificate]) -> None:
    rows = (
        Payment.objects.filter(charge__rebilling__run_id__in=by_run)
        .values_list("charge__rebilling__run_id", "status")
        .annotate(count=Count("id"))
        .order_by()
    )
    for run_id, status, count in rows:
        by_run[run_id].payments[status.lower()] = count


def _count_missing(by_run: dict[uuid.UUID, Certificate], runs: Collection[Run], *, today: datetime.date) -> None:
    """Each missing period counts against every run that should have found it; none that starts after today is due."""
    for missing in missing_periods(as_of=min(today, max(run.as_of for run in runs))):
        for run in runs:
            if _answers_for(run, missing):
                certificate = by_run[run.id]
                for tally in (certificate.due, certificate.unexplained):
                    tally.add(periods=1, amount_minor=missing.amount_minor, currency=missing.currency)
                if len(certificate.unexplained_first) < MOST_NAMED:
                    key = PeriodKey(missing.account_id, missing.period.start)
                    certificate.unexplained_first.append(f"{key} has no row")


def _answers_for(run: Run, missing: MissingPeriod) -> bool:
    """Whether the run should have found the period.

    An account that was opened shortly before the run began may not have been committed yet, by a slow request or a long
    import. It is found by the next sweep; only what none will find is missing at once.
    """
    margin = datetime.timedelta() if missing.passed_over else _time_limit()
    return missing.period.start <= run.as_of and missing.billing_since <= run.started_at - margin
