"""Posting: the one writer of the ledger."""

import datetime
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from accounts.billing_calendar import Period
from accounts.ids import new_id
from ledger.models import BOOKS_BY_TYPE, Entry, EntryType


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One entry to write. `amount_minor` is above zero, in minor units of the account's currency.

    The books follow from the type; `reverses` is the entry that a reversal undoes, and is given for nothing else.
    """

    type: EntryType
    account_id: uuid.UUID
    amount_minor: int
    currency: str
    effective_on: datetime.date
    description: str
    idempotency_key: str
    period: Period | None = None
    payment_id: uuid.UUID | None = None
    reverses: Entry | None = None
    id: uuid.UUID = field(default_factory=new_id)


def post(*, postings: Iterable[Posting], author: str, now: datetime.datetime) -> list[Entry]:
    """Write the entries, in one statement whatever their number, in the caller's transaction.

    Raises `IntegrityError` where the database refuses one: `entry_idempotency_key_once` for what was posted already,
    `ledger_entry_reverses_id_key` for a second reversal.
    """
    return Entry.objects.bulk_create(_entry(posting, author=author, now=now) for posting in postings)


def _entry(posting: Posting, *, author: str, now: datetime.datetime) -> Entry:
    original = posting.reverses
    debit, credit = (original.credit, original.debit) if original else BOOKS_BY_TYPE[posting.type]
    return Entry(
        id=posting.id,
        account_id=posting.account_id,
        type=posting.type,
        debit=debit,
        credit=credit,
        amount_minor=posting.amount_minor,
        currency=posting.currency,
        effective_on=posting.effective_on,
        period_start=posting.period.start if posting.period else None,
        period_end=posting.period.end if posting.period else None,
        payment_id=posting.payment_id,
        description=posting.description,
        idempotency_key=posting.idempotency_key,
        reverses=original,
        created_at=now,
        created_by=author,
    )
