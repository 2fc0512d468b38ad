"""Numbers of invoices and credit notes, never used twice: under the account's own prefix, or in one series a year.

An account's own are `7K3M9Q2XAB-0001` and `7K3M9Q2XAB-CN-0001`, counted on the account, under its lock: rolled back
with a savepoint, so that none is missing. With the setting `INVOICE_NUMBERING` at `company` they are `2026-000001` and
`CN-2026-000001`. Then each batch takes its numbers by one UPDATE, and batches wait for one another at that row.
"""

import datetime
from collections.abc import Sequence

from django.conf import settings
from django.db import connection

from accounts.locked_accounts import LockedAccount
from accounts.sql_files import query

COMPANY = "company"


def invoice_numbers(*, accounts: Sequence[LockedAccount], today: datetime.date) -> list[str]:
    """A number for an invoice of each account, in order. Counters change on the accounts, unsaved."""
    own = []
    for account in accounts:
        account.invoices_issued += 1
        own.append(f"{account.number_prefix}-{account.invoices_issued:04d}")
    if settings.INVOICE_NUMBERING == COMPANY:
        return [f"{today.year}-{number:06d}" for number in _taken("invoice", today=today, count=len(accounts))]
    return own


def credit_note_numbers(*, accounts: Sequence[LockedAccount], today: datetime.date) -> list[str]:
    """A number for a credit note of each account, in order. Counters change on the accounts, unsaved."""
    own = []
    for account in accounts:
        account.credit_notes_issued += 1
        own.append(f"{account.number_prefix}-CN-{account.credit_notes_issued:04d}")
    if settings.INVOICE_NUMBERING == COMPANY:
        return [f"CN-{today.year}-{number:06d}" for number in _taken("credit_note", today=today, count=len(accounts))]
    return own


def _taken(kind: str, *, today: datetime.date, count: int) -> range:
    """Take so many numbers of the year's series."""
    with connection.cursor() as cursor:
        cursor.execute(query(__file__, "take_numbers"), {"kind": kind, "year": today.year, "count": count})
        (last,) = cursor.fetchone()
        return range(int(last) - count + 1, int(last) + 1)
