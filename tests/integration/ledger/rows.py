"""Rows written past the posting function, to find out what the database itself refuses."""

from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from accounts.errors import violated_constraint
from accounts.ids import new_id
from accounts.models import Account
from ledger.models import Entry
from tests.builders import NOW, TODAY


def a_row(*, account: Account, **values: Any) -> Entry:
    """An entry as the application could write it, not saved: a charge of 1999, but for what `values` say."""
    row_id = new_id()
    charge: dict[str, Any] = {
        "id": row_id,
        "account_id": account.id,
        "type": "charge",
        "debit": "receivable",
        "credit": "revenue",
        "amount_minor": 1999,
        "currency": account.currency,
        "effective_on": TODAY,
        "description": "a row",
        "idempotency_key": f"row:{row_id}",
        "created_at": NOW,
        "created_by": "test",
    }
    return Entry(**(charge | values))


def write(entry: Entry) -> Entry:
    """Write the row, deferred rules included. What is refused leaves nothing behind."""
    with transaction.atomic():
        entry.save(force_insert=True)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    return entry


def refusal_of(entry: Entry) -> str:
    """The constraint that refuses the row. Fails the test when it is written, or when anything moved all the same."""
    before = list(Entry.objects.order_by("id").values())
    with pytest.raises(IntegrityError) as caught:
        write(entry)
    assert list(Entry.objects.order_by("id").values()) == before
    return violated_constraint(caught.value)


def assert_does_not_fit(entry: Entry) -> None:
    """A column can't hold the value. Nothing is written."""
    before = Entry.objects.count()
    with pytest.raises(DataError):
        write(entry)
    assert Entry.objects.count() == before
