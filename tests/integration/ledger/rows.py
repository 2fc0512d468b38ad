"""Rows written past the posting function, to find out what the database itself refuses."""

import datetime
import uuid
from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from accounts.errors import violated_constraint
from accounts.ids import new_id
from accounts.models import Account
from ledger.models import Entry
from tests.builders import TODAY

COLUMNS = (
    "id, account_id, type, debit, credit, amount_minor, currency, effective_on, period_start, period_end, invoice_id,"
    " line_id, payment_id, refund_id, description, idempotency_key, reverses_id, created_by"
)
"""What the application may write; when it was written, the database alone says."""


class Row(dict[str, Any]):
    """An entry's columns, by name."""


def a_row(*, account: Account, **values: Any) -> Row:
    """An entry as the application could write it, not saved: a credit of 1999, but for what `values` say."""
    row_id = new_id()
    credit: dict[str, Any] = {
        **dict.fromkeys(COLUMNS.replace(" ", "").split(",")),
        "id": row_id,
        "account_id": account.id,
        "type": "credit",
        "debit": "credits",
        "credit": "receivable",
        "amount_minor": 1999,
        "currency": account.currency,
        "effective_on": TODAY,
        "description": "a row",
        "idempotency_key": f"row:{row_id}",
        "created_by": "test",
    }
    assert values.keys() <= credit.keys()
    return Row(credit | values)


def write(row: Row) -> Entry:
    """Write the row, deferred rules included. What is refused leaves nothing behind."""
    with transaction.atomic(), connection.cursor() as cursor:
        placeholders = ", ".join(f"%({name})s" for name in row)
        cursor.execute(f"INSERT INTO ledger_entry ({', '.join(row)}) VALUES ({placeholders})", _plain(row))
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    return Entry.objects.get(id=row["id"])


def _plain(row: Row) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, uuid.UUID | datetime.date) else value for name, value in row.items()}


def refusal_of(row: Row) -> str:
    """The constraint that refuses the row. Fails the test when it is written, or when anything moved all the same."""
    before = list(Entry.objects.order_by("id").values())
    with pytest.raises(IntegrityError) as caught:
        write(row)
    assert list(Entry.objects.order_by("id").values()) == before
    return violated_constraint(caught.value)


def assert_does_not_fit(row: Row) -> None:
    """A column can't hold the value. Nothing is written."""
    before = Entry.objects.count()
    with pytest.raises(DataError):
        write(row)
    assert Entry.objects.count() == before
