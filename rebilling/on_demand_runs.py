"""The day's on-demand run: what is billed at once, as accounts sign up or begin a period, is weighed by the volume
check and reconciled as what a sweep finds due.

One run a day takes it. Where one more period would make that run far too large, the period goes into another run, which
is HELD for a person to decide about; until then nothing more is billed on demand that day.
"""

import datetime
from dataclasses import asdict
from functools import partial

from django.db import transaction
from django.db.models import QuerySet

from rebilling.locked_runs import insert_run
from rebilling.models import Run
from rebilling.run_states import hold, reopen
from rebilling.volume_check import held_reason, history_of, log_held, sizes_of
from rebilling.volume_limits import History, Size, check_limits, find_excesses


def lock_run_of_the_day(
    *, today: datetime.date, amount_minor: int, currency: str, now: datetime.datetime
) -> Run | None:
    """The run that takes one more period of this amount in minor units: OPEN and let through, or a HELD one of its own.
    None while the day's billing on demand is held.

    Locked, or begun, by the present transaction, which has locked the account before: one after the other is weighed.
    """
    days_runs = lock_billing_of_the_day(today=today, now=now)
    # Read once that is locked, so that what the last one did is seen.
    runs = list(days_runs.exclude(status=Run.Status.CANCELLED).order_by("id"))
    if any(run.status == Run.Status.HELD for run in runs):
        return None
    run = runs[-1]
    size = next(iter(sizes_of([run.id])), Size())
    size.add(periods=1, amount_minor=amount_minor, currency=currency)
    excess = find_excesses(due=size, history=History(**(run.usual or {})), limits=check_limits())
    if excess:
        return _held_run(because=held_reason(excess), size=size, today=today, now=now)
    if run.status == Run.Status.RECONCILED:
        # The day has just ended.
        reopen([run.id])
    return run


def lock_billing_of_the_day(*, today: datetime.date, now: datetime.datetime) -> QuerySet[Run]:
    """The day's on-demand runs, with the first of them locked, or begun. What issues an invoice before it bills a
    period at once comes here first: the run is locked before a number is taken of the company's series.
    """
    days_runs = Run.objects.filter(kind=Run.Kind.ON_DEMAND, as_of=today)
    if not days_runs.exists():
        first = _new_run(today=today, now=now)
        first.passed_at = now
        # Another may begin it at the same time; then this one waits for it.
        Run.objects.bulk_create([first], ignore_conflicts=True)
    days_runs.select_for_update(no_key=True).get(held_because="")
    return days_runs


def _new_run(*, today: datetime.date, now: datetime.datetime) -> Run:
    """What is billed at once doesn't pile up while nothing sweeps, so that the days since the last run don't count:
    `days` stays 1.
    """
    usual = history_of(today=today, kinds=list(Run.Kind))
    return Run(
        kind=Run.Kind.ON_DEMAND,
        as_of=today,
        status=Run.Status.OPEN,
        started_at=now,
        usual=asdict(usual) | {"days": 1},
    )


def _held_run(*, because: str, size: Size, today: datetime.date, now: datetime.datetime) -> Run:
    run = _new_run(today=today, now=now)
    run.held_because = because
    hold([insert_run(run)], because=because)
    run.refresh_from_db()
    # What is rolled back, as a dry run is, held nothing.
    transaction.on_commit(partial(log_held, run, due=size, because=because))
    return run
