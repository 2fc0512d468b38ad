"""The volume check: what a sweep found due is compared with recent runs before any of it is sent.

A run is HELD for a person to decide about (`rebilling/run_review.py`) if it exceeds a multiple of the largest run of
the last 35 days, times the days since the last run; or an absolute limit where there is no history. It is also held if
too many of its accounts are parked or have several periods due. `docs/volume_check.md` explains it to operators.
"""

import datetime
import logging
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from accounts.billing_day import billing_day
from accounts.phrases import counted
from payments.dunning_steps import steps_by_currency
from rebilling.locked_runs import lock_runs
from rebilling.models import WAITING, Rebilling, Run
from rebilling.run_states import hold, let_through
from rebilling.sweep_lock import is_sweeping
from rebilling.volume_limits import HISTORY_DAYS, Excess, History, Size, check_limits, find_excesses

logger = logging.getLogger(__name__)

UNDECIDED = Q(status=Run.Status.OPEN, passed_at__isnull=True)
"""Runs that haven't been through the volume check: their sweep is running or was cut off."""


def cut_off_runs() -> list[Run]:
    """The undecided runs whose sweep is no longer running, oldest first: it was cut off before the volume check."""
    with transaction.atomic():
        return [run for run in Run.objects.filter(UNDECIDED).order_by("id") if not is_sweeping(run.id)]


def pass_or_hold(*, run: Run, now: datetime.datetime) -> bool:
    """Pass the run, or hold it and log an error. Returns whether it passed, so that it may be sent.

    The caller is the run's sweep, which has found everything, or knows that the sweep was cut off. Other runs whose
    sweep was cut off are checked together with it, and pass or are held together: a sweep that is cut off and started
    again can't pass in parts what wouldn't pass as a whole. Runs whose sweep is still running are left out.
    """
    limits = check_limits()
    with transaction.atomic():
        undecided = lock_runs(Run.objects.filter(UNDECIDED))
        checked = [row for row in undecided if row.id == run.id or not is_sweeping(row.id)]
        ids = [row.id for row in checked]
        if run.id not in ids:
            # Another process took it for cut off, and has decided.
            run.refresh_from_db()
            return run.passed_at is not None
        due = _due(ids, as_of=max(row.as_of for row in checked))
        history = history_of(today=billing_day(now), kinds=[Run.Kind.SWEEP], without=ids)
        found = find_excesses(due=due, history=history, limits=limits)
        if not found:
            let_through(checked, now=now)
            run.passed_at = now
            return True
        # All of them: what is too much together must not pass in parts.
        hold(checked, because=held_reason(found, others=len(ids) - 1))
        run.refresh_from_db()
    for row in checked:
        log_held(row, due=due, because=run.held_because)
    return False


def log_held(run: Run, *, due: Size, because: str) -> None:
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


def count_account(size: Size, rows: Collection[Rebilling]) -> None:
    """Add one account's due rows to the size; the rows aren't saved yet."""
    parked = sum(row.status == Rebilling.Status.PARKED for row in rows)
    size.accounts += 1
    size.parked += parked > 0
    size.catching_up += len(rows) - parked >= 2
    for row in rows:
        if row.status != Rebilling.Status.PARKED:
            size.add(periods=1, amount_minor=row.weight_minor, currency=row.currency)


def predict_hold(*, due: Size, as_of: datetime.date, today: datetime.date) -> str:
    """Why a sweep that finds this due would be held; empty if it would pass. Nothing is written."""
    runs = cut_off_runs()
    ids = [run.id for run in runs]
    _add(due, _due(ids, as_of=max(as_of, *(run.as_of for run in runs)) if runs else as_of))
    history = history_of(today=today, kinds=[Run.Kind.SWEEP], without=ids)
    return held_reason(find_excesses(due=due, history=history, limits=check_limits()), others=len(ids))


def held_reason(found: Iterable[Excess], *, others: int = 0) -> str:
    """What was exceeded, in words; empty if nothing was. `others` are runs that were counted together with this one."""
    also = f"; counted together with {counted(others, 'sweep')} cut off before the volume check" if others else ""
    reason = "; ".join(map(str, found))
    return reason and f"{reason[: 500 - len(also)]}{also}"


def history_of(*, today: datetime.date, kinds: Collection[Run.Kind], without: Collection[uuid.UUID] = ()) -> History:
    """The sizes of the runs of the last 35 days. HELD and CANCELLED runs don't count, nor do those with nothing due.

    Counted back from `today`, whatever day is swept: by mistake, that may be a day a year ago without any history.
    """
    since = today - datetime.timedelta(days=HISTORY_DAYS)
    runs = Run.objects.filter(passed_at__isnull=False, as_of__range=(since, today), kind__in=kinds)
    runs = runs.exclude(id__in=without)
    # Sweeps ignore the accounts of a held run. Those are due after its release or cancellation, so days
    # are counted from the last run that left nothing out.
    held_then = Run.objects.filter(started_at__lt=OuterRef("started_at"), decided_at__gt=OuterRef("started_at"))
    days = runs.aggregate(last=Max("as_of", filter=~Exists(held_then)), first=Min("as_of"))
    last = days["last"] or days["first"] or today
    sizes = _past_sizes(runs)
    largest: dict[str, int] = {}
    for size in sizes:
        for currency, amount in size.amount_minor.items():
            largest[currency] = max(amount, largest.get(currency, 0))
    total = _sum(sizes)
    return History(
        periods=max((size.periods for size in sizes), default=0),
        amount_minor=largest,
        # Rounded up.
        average_minor={
            currency: -(-total.amount_minor[currency] // total.periods_in[currency]) for currency in largest
        },
        days=max(1, (today - last).days),
    )


def _due(runs: Collection[uuid.UUID], *, as_of: datetime.date) -> Size:
    """All that would be sent and collected if these runs passed: their periods, and the steps of dunning due."""
    due = _sum(sizes_of(runs))
    _count_accounts(due, runs)
    for currency, invoices, amount in steps_by_currency(today=as_of):
        due.add(periods=invoices, amount_minor=amount, currency=currency)
        due.steps += invoices
    return due


def _count_accounts(due: Size, runs: Collection[uuid.UUID]) -> None:
    of_account = (
        Rebilling.objects.filter(run_id__in=runs, status__in=WAITING)
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


def _past_sizes(runs: QuerySet[Run]) -> list[Size]:
    """As `sizes_of`. What a run came to is frozen when it is reconciled, so that of its rows only those are counted
    that are VOIDED.
    """
    frozen = dict(runs.filter(status=Run.Status.RECONCILED).values_list("id", "figures"))
    sizes = {run_id: _size_when_reconciled(figures) for run_id, figures in frozen.items()}
    voided = _count(Rebilling.objects.filter(run_id__in=frozen, status=Rebilling.Status.VOIDED))
    for run_id, size in voided.items():
        sizes[run_id].take_away(size)
    return [*sizes.values(), *sizes_of(runs.exclude(status=Run.Status.RECONCILED).values_list("id", flat=True))]


def _size_when_reconciled(figures: Any) -> Size:
    size = Size()
    for row in figures["periods"]:
        if row["outcome"] == Rebilling.Status.CHARGED:
            amount = row["amount_minor"] + row["items_minor"]
            size.add(periods=row["periods"], amount_minor=amount, currency=row["currency"])
    return size


def sizes_of(runs: Iterable[uuid.UUID]) -> list[Size]:
    """The sizes of the runs: what was charged or is to be, with its items. Skipped, parked and voided periods don't
    count.
    """
    uncounted = [Rebilling.Status.SKIPPED, Rebilling.Status.PARKED, Rebilling.Status.VOIDED]
    return list(_count(Rebilling.objects.filter(run_id__in=runs).exclude(status__in=uncounted)).values())


def _count(periods: QuerySet[Rebilling]) -> dict[uuid.UUID, Size]:
    sizes: dict[uuid.UUID, Size] = defaultdict(Size)
    rows = (
        periods.values_list("run_id", "currency")
        .annotate(count=Count("id"), amount=Sum(F("amount_minor") + Coalesce("items_minor", 0)))
        .order_by()
    )
    for run_id, currency, count, amount in rows:
        sizes[run_id].add(periods=count, amount_minor=int(amount), currency=currency)
    return sizes


def _sum(sizes: Iterable[Size]) -> Size:
    total = Size()
    for size in sizes:
        _add(total, size)
    return total


def _add(total: Size, size: Size) -> None:
    total.periods_in.update(size.periods_in)
    total.amount_minor.update(size.amount_minor)
    total.steps += size.steps
    total.accounts += size.accounts
    total.catching_up += size.catching_up
    total.parked += size.parked
