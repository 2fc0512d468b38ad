"""The sweep: finds every due period that has no row yet, writes one, and sends what is DUE.

It finds what *is* due, not what is due today, so that one sweep after three days of downtime charges all that was
missed.
"""

import datetime
import logging
import uuid
from collections.abc import Collection, Iterator
from itertools import islice

from django.db import transaction
from django.db.models import BooleanField, Exists, F, OuterRef
from django.db.models.expressions import RawSQL

from accounts.billing_calendar import MAX_DUE_PERIODS, in_range, periods_due
from accounts.billing_day import billing_day
from accounts.errors import Invalid
from accounts.ids import new_id
from accounts.locks import lock_accounts
from accounts.models import Account
from rebilling.messages.dispatch import send_due, send_refunds, send_retries, send_unknown
from rebilling.messages.queue import Queue
from rebilling.metrics import emit
from rebilling.models import ParkReason, Rebilling, Run
from rebilling.skip_and_park import Parking, log_parked
from rebilling.sweep_lock import hold_sweep_lock
from rebilling.volume_check import pass_or_hold
from rebilling.volume_limits import check_limits

logger = logging.getLogger(__name__)

BATCH_ACCOUNTS = 500
"""Accounts found due in one statement, and written in one transaction. Memory stays flat whatever is due."""


class DateInFuture(Invalid):
    """The sweep's date is after the billing day: periods that aren't due yet would be charged."""

    code = "date-in-future"


def sweep(*, as_of: datetime.date, queue: Queue, now: datetime.datetime) -> Run:
    """Write a row for each period due by `as_of`, run the volume check, and send all that is DUE. Returns the run.

    Retries that are due, and payments and refunds with an unknown outcome, are sent too. A run that exceeds the volume
    limits is HELD and nothing is sent: a person decides. Rows that another run wrote are not written again; those still
    DUE are sent again and not counted. Raises `DayOutOfRange`, `DateInFuture`, and `UnableToSend` when the queue
    refuses: what was found due is written by then, and sent later.
    """
    check_not_in_future(as_of=as_of, now=now)
    check_limits()
    run = Run(id=new_id(), as_of=as_of, status=Run.Status.OPEN, started_at=now)
    with hold_sweep_lock(run.id):
        run.save(force_insert=True)
        _write_due(run=run, now=now)
        sent = _send_if_passed(run=run, queue=queue, now=now)
        Run.objects.filter(id=run.id).update(swept_at=now)
    run.swept_at = now
    found = run.rebillings.count()
    logger.info(
        "a run was swept",
        extra={
            "event": "run.swept",
            "run": str(run.id),
            "as_of": as_of.isoformat(),
            "status": run.status,
            "found": found,
            "messages": sent,
        },
    )
    emit(now=now, due=found, parked=run.rebillings.filter(status=Rebilling.Status.PARKED).count())
    return run


def check_not_in_future(*, as_of: datetime.date, now: datetime.datetime) -> None:
    """Raise `DateInFuture` when `as_of` is after the billing day of `now`, and `DayOutOfRange`."""
    today = billing_day(now)
    if in_range(as_of) > today:
        raise DateInFuture(
            f"{as_of} is in the future: today is {today}. Nothing is billed before its first day; sweep as of {today} "
            "or earlier.",
            as_of=f"Must be {today} or earlier.",
        )


def _write_due(*, run: Run, now: datetime.datetime) -> None:
    for ids in _accounts_due(run.as_of):
        with transaction.atomic():
            write_rows(list(_rows_due(accounts=list(lock_accounts(ids).values()), run=run, now=now)))


def _send_if_passed(*, run: Run, queue: Queue, now: datetime.datetime) -> int:
    """The number of messages sent; 0 for a run that the volume check holds."""
    if not pass_or_hold(run=run, now=now):
        return 0
    sent = send_due(run=run, queue=queue)
    sent += send_retries(run=run, queue=queue)
    sent += send_unknown(run=run, queue=queue, now=now, daily=True)
    return sent + send_refunds(queue=queue, now=now, daily=True)


def find_due(*, as_of: datetime.date, now: datetime.datetime) -> Iterator[Rebilling]:
    """The rows that a sweep would write, each account's together; nothing is written or locked.

    Raises `DayOutOfRange` and `DateInFuture`.
    """
    check_not_in_future(as_of=as_of, now=now)
    run = Run(as_of=as_of)
    for ids in _accounts_due(as_of):
        accounts = Account.objects.filter(id__in=ids).select_related("plan").order_by("id")
        rows = list(_rows_due(accounts=list(accounts), run=run, now=now))
        existing = _existing(rows)
        yield from (row for row in rows if (row.account_id, row.period_start) not in existing)


def _accounts_due(as_of: datetime.date) -> Iterator[list[uuid.UUID]]:
    """The accounts whose rebilling date has come, in batches by keyset; not those with a parked or held period."""
    of_account = Rebilling.objects.filter(account=OuterRef("pk"))
    # Two conditions, so that each uses its own partial index.
    parked = of_account.filter(status=Rebilling.Status.PARKED)
    held = of_account.filter(status=Rebilling.Status.DUE, run__status=Run.Status.HELD)
    due = (
        Account.objects.exclude(status=Account.Status.INACTIVE)
        .filter(~Exists(parked), ~Exists(held), rebilling_date__lte=as_of)
        .order_by("rebilling_date", "id")
        .values_list("rebilling_date", "id")
    )
    last: tuple[datetime.date, uuid.UUID] | None = None
    while True:
        page = due
        if last is not None:
            # A row comparison, which can use the index `account_due`; the OR that the ORM would write can't.
            after = RawSQL("(rebilling_date, id) > (%s, %s)", last, output_field=BooleanField())
            page = due.filter(after)
        rows = list(page[:BATCH_ACCOUNTS])
        if not rows:
            return
        last = rows[-1]
        yield [id_ for _, id_ in rows]


def _rows_due(*, accounts: Collection[Account], run: Run, now: datetime.datetime) -> Iterator[Rebilling]:
    """A row for each due period of the accounts; one PARKED row for an account that has too many of them."""
    already_due = _accounts_already_due(accounts)
    for account in accounts:
        # Checked again under the lock: it may have been closed since it was found.
        if account.status == Account.Status.INACTIVE:
            continue
        yield from due_rows(
            account=account,
            run=run,
            since=account.rebilling_date,
            until=run.as_of,
            park_after_limit=account.id in already_due,
            now=now,
        )


def due_rows(
    *,
    account: Account,
    run: Run,
    since: datetime.date,
    until: datetime.date,
    park_after_limit: bool,
    now: datetime.datetime,
) -> list[Rebilling]:
    """A DUE row, unsaved, for each period of the account that starts from `since` to `until`.

    The price is fixed here: what passes the volume check is what is charged. When there are more than 36 periods, the
    first is PARKED and the others get no row; with `park_after_limit`, 36 are DUE and the one after them is PARKED.
    """
    due = periods_due(anchor=account.anchor_date, interval=account.plan.interval, since=since, as_of=until)
    periods = list(islice(due, MAX_DUE_PERIODS + 1))
    rows = [
        Rebilling(
            run=run,
            account=account,
            period_start=period.start,
            period_end=period.end,
            status=Rebilling.Status.DUE,
            quantity=account.quantity,
            amount_minor=account.charge_minor,
            currency=account.currency,
            due_since=now,
        )
        for period in periods
    ]
    if len(rows) > MAX_DUE_PERIODS:
        rows = rows if park_after_limit else rows[:1]
        rows[-1].status, rows[-1].reason = Rebilling.Status.PARKED, ParkReason.TOO_MANY_PERIODS
        rows[-1].detail = f"more than {MAX_DUE_PERIODS} periods are due"
    return rows


def _accounts_already_due(accounts: Collection[Account]) -> set[uuid.UUID]:
    """The accounts whose next period is already DUE, so that it can't be parked any more."""
    next_due = Rebilling.objects.filter(
        account_id__in=[account.id for account in accounts],
        status=Rebilling.Status.DUE,
        period_start=F("account__rebilling_date"),
    )
    return set(next_due.values_list("account_id", flat=True))


def write_rows(rows: list[Rebilling]) -> None:
    """Insert the rows that don't exist yet, by the unique key on (account, period_start)."""
    Rebilling.objects.bulk_create(rows, ignore_conflicts=True)
    for row in rows:
        if row.status == Rebilling.Status.PARKED:
            log_parked(Parking(rebilling=row, reason=ParkReason.TOO_MANY_PERIODS, detail=row.detail))


def _existing(rows: list[Rebilling]) -> set[tuple[uuid.UUID, datetime.date]]:
    existing = Rebilling.objects.filter(account_id__in={row.account_id for row in rows}).exclude(
        status=Rebilling.Status.SKIPPED
    )
    return set(existing.values_list("account_id", "period_start"))
