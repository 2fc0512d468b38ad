"""The brake: what a sweep found due is held against recent runs before any of it is sent.

Past a multiple of the largest run of the last 35 days, times the days since the last run, or past an absolute limit
where there is no history, the run is HELD and a person decides (`rebilling/held.py`). So it is where too many of its
accounts are parked or catch up. `docs/brake.md` is for them.
"""

import datetime
import logging
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable

from django.db import transaction
from django.db.models import Count, Exists, Max, Min, OuterRef, Q, Sum

from accounts.billing_day import billing_day
from accounts.wording import counted
from rebilling.brake_limits import HISTORY_DAYS, Excess, History, Size, check_limits, excesses
from rebilling.models import Rebilling, Run
from rebilling.retries import amounts_of_retries
from rebilling.sweep_lock import is_at_work

logger = logging.getLogger(__name__)

UNDECIDED = Q(status=Run.Status.OPEN, passed_at__isnull=True)
"""Runs that the brake hasn't looked at: being swept, or cut off."""


def cut_off_runs() -> list[Run]:
    """The undecided runs whose sweep is no longer at work, oldest first: cut off before the brake could look."""
    with transaction.atomic():
        return [run for run in Run.objects.filter(UNDECIDED).order_by("id") if not is_at_work(run.id)]


def let_through(*, run: Run, now: datetime.datetime) -> bool:
    """Whether what the run found due may be sent. If so it is passed, and otherwise HELD, and an error is logged.

    The caller is the run's sweep, which has found everything, or knows that it was cut off. What other sweeps that were
    cut off found is weighed with it and passed or held with it: a sweep that is cut off and started again gets no more
    through in parts than in one. Sweeps that are still at work are left alone: half of what they find is no measure.
    """
    limits = check_limits()
    with transaction.atomic():
        undecided = list(Run.objects.filter(UNDECIDED).select_for_update(no_key=True).order_by("id"))
        ids = [row.id for row in undecided if row.id == run.id or not is_at_work(row.id)]
        if run.id not in ids:
            # Somebody else has taken it for cut off, and decided.
            run.refresh_from_db()
            return run.passed_at is not None
        weighed = [row for row in undecided if row.id in ids]
        due = _due(ids, as_of=max(row.as_of for row in weighed))
        found = excesses(due=due, history=_history(today=billing_day(now), without=ids), limits=limits)
        if not found:
            Run.objects.filter(id__in=ids).update(passed_at=now)
            run.passed_at = now
            return True
        # All of them: what is too much together isn't let through in parts.
        run.status, run.held_because = Run.Status.HELD, _because(found, others=len(ids) - 1)
        Run.objects.filter(id__in=ids).update(status=run.status, held_because=run.held_because)
    for row in weighed:
        _log_held(row, due=due, because=run.held_because)
    return False


def _log_held(run: Run, *, due: Size, because: str) -> None:
    logger.error(
        "a run is held: release or cancel it",
        extra={
            "event": "run.held",
            "run": str(run.id),
            "as_of": run.as_of.isoformat(),
            "periods": due.periods,
            "amount_minor": dict(due.amount_minor),
            "because": because,
        },
    )


def add_account(size: Size, rows: Collection[Rebilling]) -> None:
    """Count what a sweep finds of one account; the rows aren't saved yet."""
    parked = sum(row.status == Rebilling.Status.PARKED for row in rows)
    size.accounts += 1
    size.parked += parked > 0
    size.catching_up += len(rows) - parked >= 2
    for row in rows:
        if row.status != Rebilling.Status.PARKED:
            size.add(periods=1, amount_minor=row.amount_minor, currency=row.currency)


def foreseen(*, due: Size, as_of: datetime.date, today: datetime.date) -> str:
    """Why a sweep that finds this due would be held; empty when it would be let through. Nothing is written."""
    runs = cut_off_runs()
    ids = [run.id for run in runs]
    _add(due, _due(ids, as_of=max(as_of, *(run.as_of for run in runs)) if runs else as_of))
    found = excesses(due=due, history=_history(today=today, without=ids), limits=check_limits())
    return _because(found, others=len(ids))


def _because(found: Iterable[Excess], *, others: int) -> str:
    also = f"; with what was found by {counted(others, 'sweep')} that the brake hadn't looked at" if others else ""
    because = "; ".join(map(str, found))
    return because and f"{because[: 500 - len(also)]}{also}"


def _history(*, today: datetime.date, without: Collection[uuid.UUID]) -> History:
    """What the runs of the last 35 days had. HELD and CANCELLED ones are no history, nor are those with nothing due.

    From `today` back, whatever day is swept: a year ago, by a slip, there may be no history to measure by.
    """
    since = today - datetime.timedelta(days=HISTORY_DAYS)
    runs = Run.objects.filter(passed_at__isnull=False, as_of__range=(since, today)).exclude(id__in=without)
    # Sweeps pass over the accounts of a held run. What they left is due after its release or cancellation, so days
    # are counted from the last run that didn't.
    held_then = Run.objects.filter(started_at__lt=OuterRef("started_at"), decided_at__gt=OuterRef("started_at"))
    days = runs.aggregate(last=Max("as_of", filter=~Exists(held_then)), first=Min("as_of"))
    last = days["last"] or days["first"] or today
    sizes = _sizes(runs.values_list("id", flat=True))
    largest: dict[str, int] = {}
    for size in sizes:
        for currency, amount in size.amount_minor.items():
            largest[currency] = max(amount, largest.get(currency, 0))
    total = _sum(sizes)
    return History(
        periods=max((size.periods for size in sizes), default=0),
        amount_minor=largest,
        # Rounded up.
        each_minor={currency: -(-total.amount_minor[currency] // total.periods_in[currency]) for currency in largest},
        days=max(1, (today - last).days),
    )


def _due(runs: Collection[uuid.UUID], *, as_of: datetime.date) -> Size:
    """All that would be sent and collected if these runs were let through: their periods, and what is tried again."""
    due = _sum(_sizes(runs))
    _count_accounts(due, runs)
    for currency, charges, amount in amounts_of_retries(as_of=as_of):
        due.add(periods=charges, amount_minor=amount, currency=currency)
        due.again += charges
    return due


def _count_accounts(due: Size, runs: Collection[uuid.UUID]) -> None:
    of_account = (
        Rebilling.objects.filter(run_id__in=runs, status__in=[Rebilling.Status.DUE, Rebilling.Status.PARKED])
        .values("account_id")
        .annotate(
            due=Count("id", filter=Q(status=Rebilling.Status.DUE)),
            parked=Count("id", filter=Q(status=Rebilling.Status.PARKED)),
        )
        .order_by()
    )
    found = of_account.aggregate(
        accounts=Count("account_id"),
        catching_up=Count("account_id", filter=Q(due__gte=2)),
        parked_accounts=Count("account_id", filter=Q(parked__gte=1)),
    )
    due.accounts, due.catching_up, due.parked = found["accounts"], found["catching_up"], found["parked_accounts"]


def _sizes(runs: Iterable[uuid.UUID]) -> list[Size]:
    """The sizes of the runs: what of them was charged or is to be. Set aside, or reversed, a period is no measure."""
    sizes: dict[uuid.UUID, Size] = defaultdict(Size)
    rows = (
        Rebilling.objects.filter(run_id__in=runs)
        .exclude(status__in=[Rebilling.Status.SKIPPED, Rebilling.Status.PARKED, Rebilling.Status.VOIDED])
        .values_list("run_id", "currency")
        .annotate(periods=Count("id"), amount=Sum("amount_minor"))
        .order_by()
    )
    for run_id, currency, periods, amount in rows:
        sizes[run_id].add(periods=periods, amount_minor=int(amount), currency=currency)
    return list(sizes.values())


def _sum(sizes: Iterable[Size]) -> Size:
    total = Size()
    for size in sizes:
        _add(total, size)
    return total


def _add(total: Size, size: Size) -> None:
    total.periods_in.update(size.periods_in)
    total.amount_minor.update(size.amount_minor)
    total.again += size.again
    total.accounts += size.accounts
    total.catching_up += size.catching_up
    total.parked += size.parked
