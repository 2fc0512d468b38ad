"""Posting: the one writer of the ledger."""

import datetime
import uuid
from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection

from accounts.array_literals import plain_array, text_array, uuid_array
from accounts.ids import new_id
from accounts.sql_files import query
from ledger.models import BOOKS_BY_TYPE, Book, Entry, EntryType


class Posting(NamedTuple):
    """One entry to write. `amount_minor` is above zero, in minor units of the account's currency.

    Books follow from the type; only an opening balance and a reversal are given theirs. `period_start` and `period_end`
    are the service period, `[start, end)`.
    """

    type: EntryType
    account_id: uuid.UUID
    amount_minor: int
    currency: str
    description: str
    idempotency_key: str
    id: uuid.UUID | None = None
    period_start: datetime.date | None = None
    period_end: datetime.date | None = None
    invoice_id: uuid.UUID | None = None
    line_id: uuid.UUID | None = None
    payment_id: uuid.UUID | None = None
    refund_id: uuid.UUID | None = None
    books: tuple[Book, Book] | None = None
    reverses_id: uuid.UUID | None = None
    author: str | None = None
    """Where it isn't the author of all that is posted with it."""


def reversal_of(entry: Entry, *, description: str) -> Posting:
    """The entry that takes a credit or a write-off back: same amount, books swapped."""
    return Posting(
        type=EntryType.REVERSAL,
        account_id=entry.account_id,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        description=description,
        idempotency_key=f"reversal:{entry.id}",
        invoice_id=entry.invoice_id,
        books=(Book(entry.credit), Book(entry.debit)),
        reverses_id=entry.id,
    )


def post(*, postings: Sequence[Posting], effective_on: datetime.date, author: str) -> list[uuid.UUID]:
    """Write the entries, in one statement whatever their number, in the caller's transaction. Returns their ids.

    `effective_on` is the billing day. Raises `IntegrityError` where the database refuses one:
    `entry_idempotency_key_once` for what was posted already, `entry_reversed_once` for a second reversal.
    """
    if not postings:
        return []
    ids = [posting.id or new_id() for posting in postings]
    books = [posting.books or BOOKS_BY_TYPE[posting.type] for posting in postings]
    with connection.cursor() as cursor:
        cursor.execute(
            query(__file__, "insert_entries"),
            {
                "effective_on": effective_on,
                "created_by": author,
                "authors": text_array([posting.author for posting in postings]),
                "ids": uuid_array(ids),
                "accounts": uuid_array([posting.account_id for posting in postings]),
                "types": plain_array([posting.type.value for posting in postings]),
                "debits": plain_array([debit.value for debit, _ in books]),
                "credits": plain_array([credit.value for _, credit in books]),
                "amounts": plain_array([posting.amount_minor for posting in postings]),
                "currencies": plain_array([posting.currency for posting in postings]),
                "starts": plain_array([posting.period_start for posting in postings]),
                "ends": plain_array([posting.period_end for posting in postings]),
                "invoices": uuid_array([posting.invoice_id for posting in postings]),
                "lines": uuid_array([posting.line_id for posting in postings]),
                "payments": uuid_array([posting.payment_id for posting in postings]),
                "refunds": uuid_array([posting.refund_id for posting in postings]),
                "descriptions": text_array([posting.description for posting in postings]),
                "keys": text_array([posting.idempotency_key for posting in postings]),
                "reversed": uuid_array([posting.reverses_id for posting in postings]),
            },
        )
    return ids
