"""The brake: what a sweep found due is held against recent runs before any of it is sent.

Past a multiple of the largest run of the last 35 days, times the days since the last run, or past an absolute limit
where there is no history, the run is HELD and a person decides (`rebilling/held.py`). `docs/brake.md` is for them.
"""

import datetime
import logging
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable

from django.db import transaction
from django.db.models import Count, Exists, Max, Min, OuterRef, Q, Sum

from accounts.billing_day import billing_day
from rebilling.brake_limits import HISTORY_DAYS, Excess, History, Size, check_limits, counted, excesses
from rebilling.models import Rebilling, Run

logger = logging.getLogger(__name__)

UNDECIDED = Q(status=Run.Status.OPEN, passed_at__isnull=True)
"""Runs that the brake hasn't looked at: being swept, or cut off."""


def let_through(*, run: Run, now: datetime.datetime) -> bool:
    """Whether what the run found due may be sent. If so it is passed, and otherwise HELD, and an error is logged.

    What sweeps that were cut off found, and nobody has looked at, is weighed with it and passed with it: a sweep that
    is cut off and started again doesn't get more through in parts than in one.
    """
    limits = check_limits()
    with transaction.atomic():
        undecided = Run.objects.filter(UNDECIDED | Q(id=run.id)).select_for_update(no_key=True).order_by("id")
        by_id = {row.id: row for row in undecided}
        if by_id[run.id].status != Run.Status.OPEN:
            # A certify took this sweep for one that was cut off, and held it.
            run.status, run.held_because = by_id[run.id].status, by_id[run.id].held_because
            return False
        ids = list(by_id)
        sizes = _sizes(ids)
        found = excesses(due=_sum(sizes), history=_history(as_of=run.as_of, now=now, without=ids), limits=limits)
        if not found:
            Run.objects.filter(id__in=ids).update(passed_at=now)
            run.passed_at = now
            return True
        run.status, run.passed_at, run.held_because = Run.Status.HELD, None, _because(found, others=len(ids) - 1)
        run.save(update_fields=["status", "passed_at", "held_because"])
    logger.error(
        "a run is held: release or cancel it",
        extra={
            "event": "run.held",
            "run": str(run.id),
            "as_of": run.as_of.isoformat(),
            "periods": _sum(sizes).periods,
            "amount_minor": dict(_sum(sizes).amount_minor),
            "because": run.held_because,
        },
    )
    return False


def foreseen(*, due: Size, as_of: datetime.date, now: datetime.datetime) -> str:
    """Why a sweep that finds this due would be held; empty when it would be let through. Nothing is written."""
    ids = list(Run.objects.filter(UNDECIDED).values_list("id", flat=True))
    history = _history(as_of=as_of, now=now, without=ids)
    found = excesses(due=_sum([due, *_sizes(ids)]), history=history, limits=check_limits())
    return _because(found, others=len(ids))


def _because(found: Iterable[Excess], *, others: int) -> str:
    also = f"; with what was found by {counted(others, 'sweep')} that the brake hadn't looked at" if others else ""
    because = "; ".join(map(str, found))
    return because and f"{because[: 500 - len(also)]}{also}"


def _history(*, as_of: datetime.date, now: datetime.datetime, without: Collection[uuid.UUID]) -> History:
    """What the runs of the last 35 days had. HELD and CANCELLED ones are no history, nor are those with nothing due.

    A run of a day to come is measured as of today: else a sweep of next year, by mistake, could be a year's worth.
    """
    day = min(as_of, billing_day(now))
    since = day - datetime.timedelta(days=HISTORY_DAYS)
    runs = Run.objects.filter(passed_at__isnull=False, as_of__range=(since, day)).exclude(id__in=without)
    # Sweeps pass over the accounts of a held run. What they left is due after its release or cancellation, so days
    # are counted from the last run that didn't.
    held_then = Run.objects.filter(started_at__lt=OuterRef("started_at"), decided_at__gt=OuterRef("started_at"))
    days = runs.aggregate(last=Max("as_of", filter=~Exists(held_then)), first=Min("as_of"))
    last = days["last"] or days["first"] or day
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
        days=max(1, (day - last).days),
    )


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
        total.periods_in.update(size.periods_in)
        total.amount_minor.update(size.amount_minor)
    return total
