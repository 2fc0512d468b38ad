"""Charging: where a customer is charged, once for each period.

Under the accounts' locks, each period that is DUE and next in its account's line moves to CHARGED in one statement;
only what that statement returned is charged: a ledger entry, a payment SUBMITTED for what credit doesn't cover, and
the rebilling date moved on, in the same transaction. Statements per pack are constant, whatever its size.
"""

import datetime
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction

from accounts.billing_calendar import Period
from accounts.ids import new_id
from accounts.locks import lock_accounts
from accounts.models import Account
from ledger.models import EntryType
from ledger.posting import Posting, post
from payments.models import Payment
from payments.submission import new_payment
from rebilling.allocation import spendable_credit
from rebilling.message import PeriodKey
from rebilling.models import ParkReason, Rebilling, SkipReason
from rebilling.row_faults import ROW_FAULTS, in_halves, told
from rebilling.setting_aside import Parking, park, skip
from rebilling.standing import AUTHOR, refresh_standing


def charge_due(*, keys: Collection[PeriodKey], gateway: str, now: datetime.datetime) -> int:
    """Charge the periods that are DUE and whose turn it is, in one transaction. Returns how many that were.

    A period of an inactive account is SKIPPED; one that isn't its account's next is PARKED. When a row breaks the pack,
    the pack is halved until the bad account is found; its period is PARKED and the rest is charged. `gateway` is the
    name of the one that the payments are for.
    """
    with transaction.atomic():
        accounts = lock_accounts(key.account_id for key in keys)
        charged = in_halves(
            items=sorted(accounts.values(), key=lambda account: account.id),
            work=lambda part: _charge(accounts=part, keys=set(keys), gateway=gateway, now=now),
            alone=lambda account, _: _charge_one_by_one(account=account, keys=keys, gateway=gateway, now=now),
        )
        return len(list(charged))


def _charge_one_by_one(
    *, account: Account, keys: Collection[PeriodKey], gateway: str, now: datetime.datetime
) -> list[uuid.UUID]:
    """Charge the account's periods in order until the one that broke the pack; park that one and those after it."""
    charged: list[uuid.UUID] = []
    rows = _decide(accounts=[account], keys=keys).charge
    for index, row in enumerate(rows):
        try:
            with transaction.atomic():
                account.rebilling_date = row.period_start
                charged += _charge(accounts=[account], keys={PeriodKey.of(row)}, gateway=gateway, now=now)
        except ROW_FAULTS as error:
            later = [Parking(rebilling=row, reason=ParkReason.EARLIER_PERIOD_PARKED) for row in rows[index + 1 :]]
            refused = Parking(rebilling=row, reason=ParkReason.CHARGE_REFUSED, detail=told(error))
            park(parkings=[refused, *later], now=now)
            break
    return charged


@dataclass(slots=True)
class _Decision:
    """What is to become of a pack's DUE periods."""

    charge: list[Rebilling] = field(default_factory=list)
    skip: list[Rebilling] = field(default_factory=list)
    park: list[Parking] = field(default_factory=list)


def _decide(*, accounts: Sequence[Account], keys: Collection[PeriodKey]) -> _Decision:
    """Look again at what the locked accounts have DUE: their status, and that each period is the next in line."""
    waiting = (
        Rebilling.objects.filter(
            account_id__in=[account.id for account in accounts],
            status__in=[Rebilling.Status.DUE, Rebilling.Status.PARKED],
        )
        .select_related("run")
        .order_by("account_id", "period_start")
    )
    by_account: dict[uuid.UUID, list[Rebilling]] = {}
    for row in waiting:
        by_account.setdefault(row.account_id, []).append(row)
    decision = _Decision()
    for account in accounts:
        _decide_account(account, by_account.get(account.id, []), keys, decision)
    return decision


def _decide_account(
    account: Account, waiting: Iterable[Rebilling], keys: Collection[PeriodKey], decision: _Decision
) -> None:
    """`waiting` are the account's DUE and PARKED rows in order."""
    expected = account.rebilling_date
    parked = False
    for row in waiting:
        # Nothing of a run that wasn't let through is charged, whatever message names it.
        in_pack = PeriodKey.of(row) in keys and row.run.passed_at is not None
        if row.status == Rebilling.Status.PARKED:
            parked = True
        elif not in_pack:
            # An earlier period that travels in another pack, or is held: the later ones wait, DUE, until it is charged.
            return
        elif account.status == Account.Status.INACTIVE:
            decision.skip.append(row)
        elif parked:
            decision.park.append(Parking(rebilling=row, reason=ParkReason.EARLIER_PERIOD_PARKED))
        elif row.period_start != expected:
            parked = True
            detail = f"the account's rebilling date is {expected}"
            decision.park.append(Parking(rebilling=row, reason=ParkReason.NOT_THE_NEXT_PERIOD, detail=detail))
        else:
            decision.charge.append(row)
            expected = row.period_end


def _charge(
    *, accounts: Sequence[Account], keys: Collection[PeriodKey], gateway: str, now: datetime.datetime
) -> list[uuid.UUID]:
    """The ids of the rows that were charged."""
    decision = _decide(accounts=accounts, keys=keys)
    skip(rebillings=decision.skip, reason=SkipReason.ACCOUNT_INACTIVE)
    park(parkings=decision.park, now=now)
    if not decision.charge:
        return []
    by_id = {account.id: account for account in accounts}
    charges = _priced(rows=decision.charge, accounts=by_id)
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
    settled = [charge.rebilling for charge in charges if not charge.to_collect_minor]
    if settled:
        Rebilling.objects.filter(id__in=[row.id for row in settled]).update(status=Rebilling.Status.PAID)
        refresh_standing(account_ids={row.account_id for row in settled}, author=AUTHOR, now=now)
    return [charge.rebilling.id for charge in charges]


@dataclass(frozen=True, slots=True)
class _Charge:
    """One period's charge; amounts in minor units. A price of zero gets no entry and no payment."""

    rebilling: Rebilling
    amount_minor: int
    credit_minor: int
    entry_id: uuid.UUID

    @property
    def to_collect_minor(self) -> int:
        return self.amount_minor - self.credit_minor


def _priced(*, rows: Sequence[Rebilling], accounts: dict[uuid.UUID, Account]) -> list[_Charge]:
    """The charges of the periods, at the account's quantity and agreed amount, with the free credit each takes."""
    free = spendable_credit(account_ids={row.account_id for row in rows})
    charges = []
    for row in rows:
        amount = accounts[row.account_id].charge_minor
        credit = max(0, min(amount, free[row.account_id]))
        free[row.account_id] -= credit
        charges.append(_Charge(row, amount, credit, new_id()))
    return charges


# Ordered by nothing: the accounts' locks make this safe, whatever the order in which rows are taken.
_MOVE_TO_CHARGED = """
    UPDATE rebilling_rebilling AS row
    SET status = 'CHARGED', amount_minor = charge.amount, credit_minor = charge.credit, charge_id = charge.entry
    FROM unnest(%(ids)s::uuid[], %(amounts)s::bigint[], %(credits)s::bigint[], %(entries)s::uuid[])
        AS charge (id, amount, credit, entry)
    WHERE row.id = charge.id AND row.status = 'DUE'
    RETURNING row.id
"""


def _move_to_charged(charges: Sequence[_Charge]) -> set[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVE_TO_CHARGED,
            {
                "ids": [charge.rebilling.id for charge in charges],
                "amounts": [charge.amount_minor for charge in charges],
                "credits": [charge.credit_minor for charge in charges],
                "entries": [charge.entry_id if charge.amount_minor else None for charge in charges],
            },
        )
        return {id_ for (id_,) in cursor.fetchall()}


def _posting(charge: _Charge, account: Account) -> Posting:
    row = charge.rebilling
    units = f" x {account.quantity}" if account.quantity > 1 else ""
    return Posting(
        id=charge.entry_id,
        type=EntryType.CHARGE,
        account_id=account.id,
        amount_minor=charge.amount_minor,
        currency=account.currency,
        effective_on=row.period_start,
        period=Period(start=row.period_start, end=row.period_end),
        description=f"{account.plan.name}{units}, {row.period_start} to {row.period_end}",
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
