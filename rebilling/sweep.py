"""The sweep: finds every due period that has no row yet, writes one, and sends what is DUE.

It finds what *is* due, not what is due today, so that one sweep after three days of downtime charges all that was
missed.
"""

import datetime
import logging
import uuid
from collections.abc import Collection, Iterator, Sequence

from django.db.models import BooleanField, Exists, OuterRef, Q
from django.db.models.expressions import RawSQL

from accounts.billing_calendar import in_range
from accounts.billing_day import billing_day
from accounts.bisection import FailedItem, bisect_batch, describe
from accounts.errors import Invalid
from accounts.ids import new_id
from accounts.locked_accounts import lock_accounts
from accounts.models import Account
from accounts.tax_rates import check_default_tax, default_tax_rate_id
from accounts.terms import terms_of
from invoices.past_due_invoices import mark_past_due
from payments.dunning_steps import send_dunning
from payments.messages.dispatch import send_leftovers
from payments.messages.queue import Queue
from payments.models import Payment, Refund
from rebilling.messages.dispatch import send_due
from rebilling.metrics import emit
from rebilling.models import Rebilling, Run
from rebilling.period_discounts import discounts_of
from rebilling.period_items import AccountItems, has_free_items, items_of
from rebilling.period_rows import DueAccount, due_rows, write_rows
from rebilling.period_states import skip_inactive
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

    Steps of dunning that are due, and payments and refunds with an unknown outcome, are sent too. A run that exceeds
    the volume limits is HELD and nothing is sent: a person decides. Rows that another run wrote are not written again;
    those still DUE are sent again and not counted. Raises `DayOutOfRange`, `DateInFuture`, and `UnableToSend` when the
    queue refuses: what was found due is written by then, and sent later.
    """
    check_not_in_future(as_of=as_of, now=now)
    check_limits()
    check_default_tax()
    run = Run(id=new_id(), as_of=as_of, status=Run.Status.OPEN, started_at=now)
    with hold_sweep_lock(run.id):
        run.save(force_insert=True)
        mark_past_due(today=as_of, now=now)
        skip_inactive()
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
    """Write the rows, one transaction per batch. An account whose periods the database refuses, as ones that overlap
    its others, is logged as an error and left out: the reconciliation reports what is missing, and the others are
    billed.
    """

    default_tax_rate = default_tax_rate_id(now=now)

    def write(ids: Sequence[uuid.UUID]) -> None:
        accounts = lock_accounts(ids).values()
        rows, items = rows_due(accounts=accounts, run=run, default_tax_rate=default_tax_rate, now=now)
        write_rows(rows, items=items)

    for ids in _accounts_due(run.as_of):
        for part in bisect_batch(items=ids, work=write):
            if isinstance(part, FailedItem):
                extra = {"event": "run.refused", "account": str(part.item), "error": describe(part.error)}
                logger.error("an account's due periods can't be written", extra=extra)


def _send_if_passed(*, run: Run, queue: Queue, now: datetime.datetime) -> int:
    """The number of messages sent; 0 for a run that the volume check holds."""
    if not pass_or_hold(run=run, now=now):
        return 0
    sent = send_due(run=run, queue=queue)
    sent += send_dunning(queue=queue, now=now)
    sent += send_leftovers(model=Payment, queue=queue, now=now, daily=True)
    return sent + send_leftovers(model=Refund, queue=queue, now=now, daily=True)


def find_due(*, as_of: datetime.date, now: datetime.datetime) -> Iterator[Rebilling]:
    """The rows that a sweep would write, each account's together; nothing is written or locked.

    Raises `DayOutOfRange` and `DateInFuture`.
    """
    check_not_in_future(as_of=as_of, now=now)
    run = Run(as_of=as_of)
    for ids in _accounts_due(as_of):
        accounts = Account.objects.filter(id__in=ids).order_by("id")
        # Taxes aren't part of what is weighed.
        rows, _ = rows_due(accounts=accounts, run=run, default_tax_rate=None, now=now)
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


def rows_due(
    *, accounts: Collection[DueAccount], run: Run, default_tax_rate: uuid.UUID | None, now: datetime.datetime
) -> tuple[list[Rebilling], Collection[AccountItems]]:
    """A row for each due period of the accounts; one PARKED row for an account that has too many of them. And the items
    that were fixed to them.
    """
    # Checked again under the lock: it may have been closed since it was found.
    billed = [account for account in accounts if account.status != Account.Status.INACTIVE]
    terms = terms_of([account.id for account in billed])
    discounts = discounts_of(billed)
    already_due, with_items = _already_due_and_with_items([account.id for account in billed])
    items = items_of([account for account in billed if account.id in with_items])
    rows = [
        row
        for account in billed
        for row in due_rows(
            account=account,
            terms=terms[account.id],
            discount=discounts.get(account.id),
            items=items.get(account.id),
            default_tax_rate=default_tax_rate,
            run=run,
            since=account.rebilling_date,
            until=run.as_of,
            park_after_limit=account.id in already_due,
            now=now,
        )
    ]
    return rows, items.values()


def _already_due_and_with_items(account_ids: Collection[uuid.UUID]) -> tuple[set[uuid.UUID], set[uuid.UUID]]:
    """The accounts whose next period is already DUE, so that it can't be parked any more; and those with items that no
    period has yet. Both in one statement.
    """
    next_due = Rebilling.objects.filter(
        account=OuterRef("pk"), status=Rebilling.Status.DUE, period_start=OuterRef("rebilling_date")
    )
    of_both = Account.objects.filter(id__in=account_ids).annotate(is_due=Exists(next_due), has_items=has_free_items())
    found = list(of_both.filter(Q(is_due=True) | Q(has_items=True)).values_list("id", "is_due", "has_items"))
    return {id_ for id_, is_due, _ in found if is_due}, {id_ for id_, _, has_items in found if has_items}


def _existing(rows: list[Rebilling]) -> set[tuple[uuid.UUID, datetime.date]]:
    existing = Rebilling.objects.filter(account_id__in={row.account_id for row in rows}).exclude(
        status__in=[Rebilling.Status.SKIPPED, Rebilling.Status.VOIDED]
    )
    return set(existing.values_list("account_id", "period_start"))
