"""Charges: each customer is charged once for each period.

Under the accounts' locks, each period that is DUE and its account's next moves to CHARGED in one statement. Only the
rows that it returned are charged: a ledger entry, a SUBMITTED payment for what credit doesn't cover, and a new
rebilling date, in the same transaction. A batch takes a constant number of statements, whatever its size.
"""

import datetime
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from accounts.billing_calendar import Period
from accounts.bisection import ROW_ERRORS, FailedItem, bisect_batch, describe
from accounts.ids import new_id
from accounts.locks import lock_accounts
from accounts.models import Account
from accounts.wording import period_in_words
from ledger.models import EntryType
from ledger.posting import Posting, post
from payments.models import Payment
from payments.submission import new_payment
from rebilling.account_statuses import AUTHOR, refresh_account_statuses
from rebilling.charge_decisions import decide
from rebilling.credit_allocation import spendable_credit
from rebilling.messages.message import PeriodKey
from rebilling.models import ParkReason, Rebilling, SkipReason
from rebilling.skip_and_park import Parking, park, skip


def charge_due(*, keys: Collection[PeriodKey], gateway: str, today: datetime.date, now: datetime.datetime) -> int:
    """Charge the periods that are DUE and next in line, in one transaction. Returns how many were charged.

    None is charged before its first day: one that starts after `today`, the billing day, stays DUE. A period of an
    inactive account is SKIPPED; one that isn't its account's next is PARKED. When a row breaks the batch, the batch is
    bisected until the bad account is found; its period is PARKED and the rest is charged. `gateway` is the name of the
    gateway that collects the payments.
    """
    with transaction.atomic():
        accounts = lock_accounts(key.account_id for key in keys)
        charged = 0
        for done in bisect_batch(
            items=sorted(accounts.values(), key=lambda account: account.id),
            work=lambda part: _charge(accounts=part, keys=set(keys), gateway=gateway, today=today, now=now),
        ):
            if isinstance(done, FailedItem):
                charged += len(_charge_one_by_one(account=done.item, keys=keys, gateway=gateway, today=today, now=now))
            else:
                charged += len(done)
        return charged


def _charge_one_by_one(
    *, account: Account, keys: Collection[PeriodKey], gateway: str, today: datetime.date, now: datetime.datetime
) -> list[uuid.UUID]:
    """Charge the account's periods in order, up to the one that broke the batch; park it and the later ones."""
    charged: list[uuid.UUID] = []
    rows = decide(accounts=[account], keys=keys, today=today).charge
    for index, row in enumerate(rows):
        try:
            with transaction.atomic():
                account.rebilling_date = row.period_start
                charged += _charge(accounts=[account], keys={PeriodKey.of(row)}, gateway=gateway, today=today, now=now)
        except ROW_ERRORS as error:
            later = [Parking(rebilling=row, reason=ParkReason.EARLIER_PERIOD_PARKED) for row in rows[index + 1 :]]
            refused = Parking(rebilling=row, reason=ParkReason.CHARGE_REFUSED, detail=describe(error))
            park(parkings=[refused, *later], now=now)
            break
    return charged


def _charge(
    *,
    accounts: Sequence[Account],
    keys: Collection[PeriodKey],
    gateway: str,
    today: datetime.date,
    now: datetime.datetime,
) -> list[uuid.UUID]:
    """The ids of the rows that were charged."""
    decision = decide(accounts=accounts, keys=keys, today=today)
    skip(rebillings=decision.skip, reason=SkipReason.ACCOUNT_INACTIVE)
    park(parkings=decision.park, now=now)
    if not decision.charge:
        return []
    by_id = {account.id: account for account in accounts}
    charges = _with_credit(decision.charge)
    charged = _move_to_charged(charges)
    charges = [charge for charge in charges if charge.rebilling.id in charged]
    post(
        postings=[_posting(charge, by_id[charge.rebilling.account_id]) for charge in charges if charge.amount_minor],
        author=AUTHOR,
        now=now,
    )
    Payment.objects.bulk_create(
        new_payment(
            account=by_id[charge.rebilling.account_id],
            charge_id=charge.entry_id,
            amount_minor=charge.to_collect_minor,
            gateway=gateway,
            now=now,
        )
        for charge in charges
        if charge.to_collect_minor
    )
    _move_dates_on(charges)
    paid = [charge.rebilling for charge in charges if not charge.to_collect_minor]
    if paid:
        Rebilling.objects.filter(id__in=[row.id for row in paid]).update(status=Rebilling.Status.PAID)
        refresh_account_statuses(account_ids={row.account_id for row in paid}, author=AUTHOR, now=now)
    return [charge.rebilling.id for charge in charges]


@dataclass(frozen=True, slots=True)
class _Charge:
    """One period's charge; amounts in minor units. A price of zero gets no entry and no payment."""

    rebilling: Rebilling
    credit_minor: int
    entry_id: uuid.UUID

    @property
    def amount_minor(self) -> int:
        return self.rebilling.amount_minor

    @property
    def to_collect_minor(self) -> int:
        return self.amount_minor - self.credit_minor


def _with_credit(rows: Sequence[Rebilling]) -> list[_Charge]:
    """The charges of the periods, at the price fixed when they were found due, and the free credit each one takes."""
    free = spendable_credit(account_ids={row.account_id for row in rows})
    charges = []
    for row in rows:
        credit = max(0, min(row.amount_minor, free[row.account_id]))
        free[row.account_id] -= credit
        charges.append(_Charge(row, credit, new_id()))
    return charges


# No order is needed: the accounts' locks make this safe.
_MOVE_TO_CHARGED = """
    UPDATE rebilling_rebilling AS row
    SET status = 'CHARGED', credit_minor = charge.credit, charge_id = charge.entry
    FROM unnest(%(ids)s::uuid[], %(credits)s::bigint[], %(entries)s::uuid[]) AS charge (id, credit, entry)
    WHERE row.id = charge.id AND row.status = 'DUE'
    RETURNING row.id
"""


def _move_to_charged(charges: Sequence[_Charge]) -> set[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVE_TO_CHARGED,
            {
                "ids": [charge.rebilling.id for charge in charges],
                "credits": [charge.credit_minor for charge in charges],
                "entries": [charge.entry_id if charge.amount_minor else None for charge in charges],
            },
        )
        return {id_ for (id_,) in cursor.fetchall()}


def _posting(charge: _Charge, account: Account) -> Posting:
    row = charge.rebilling
    units = f" x {row.quantity}" if row.quantity > 1 else ""
    return Posting(
        id=charge.entry_id,
        type=EntryType.CHARGE,
        account_id=account.id,
        amount_minor=charge.amount_minor,
        currency=account.currency,
        effective_on=row.period_start,
        period=Period(start=row.period_start, end=row.period_end),
        description=f"{account.plan.name}{units}, {period_in_words(start=row.period_start, end=row.period_end)}",
        idempotency_key=str(PeriodKey.of(row)),
    )


_MOVE_DATES_ON = """
    UPDATE accounts_account AS account SET rebilling_date = charged.until
    FROM unnest(%(ids)s::uuid[], %(dates)s::date[]) AS charged (id, until)
    WHERE account.id = charged.id
"""


def _move_dates_on(charges: Sequence[_Charge]) -> None:
    """Each account's rebilling date becomes the end of the last period charged. `charges` are in order."""
    until = {charge.rebilling.account_id: charge.rebilling.period_end for charge in charges}
    with connection.cursor() as cursor:
        cursor.execute(_MOVE_DATES_ON, {"ids": list(until), "dates": list(until.values())})
