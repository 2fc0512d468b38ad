"""Accounts with a known history."""

import datetime

from accounts.ids import new_id
from accounts.models import Account
from ledger.models import Book, Entry, EntryType
from ledger.posting import Posting, post, reversal_of
from ledger.statements import Statement, statement
from tests.builders import an_account

OWED = (Book.RECEIVABLE, Book.OPENING)


def posted(account: Account, entry_type: str, amount_minor: int, day: int, *, reverses: Entry | None = None) -> Entry:
    """An entry of January 2026. What is owed comes as an opening balance, which names no invoice."""
    entry_id = new_id()
    description = f"{entry_type} of January {day}"
    posting = Posting(
        id=entry_id,
        type=EntryType(entry_type),
        account_id=account.id,
        amount_minor=amount_minor,
        currency=account.currency,
        description=description,
        idempotency_key=str(entry_id),
        books=OWED if entry_type == "opening_balance" else None,
    )
    if reverses is not None:
        posting = reversal_of(reverses, description=description)
    (written,) = post(postings=[posting], effective_on=datetime.date(2026, 1, day), author="test")
    return Entry.objects.get(id=written)


def an_account_of_january() -> Account:
    """Owed 1999 from the 1st, credited 500 on the 5th and then 700 on the 3rd, and the 500 reversed on the 5th."""
    account = an_account()
    posted(account, "opening_balance", 1999, 1)
    credit = posted(account, "credit", 500, 5)
    posted(account, "credit", 700, 3)
    posted(account, "reversal", 500, 5, reverses=credit)
    return account


def of(account: Account, since: int | datetime.date, until: int | datetime.date) -> Statement:
    first, last = (day if isinstance(day, datetime.date) else datetime.date(2026, 1, day) for day in (since, until))
    return statement(account_id=account.id, since=first, until=last)
