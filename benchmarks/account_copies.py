"""Copies of an account with all its rows, which SQL makes: what takes the product's own operations hours.

A copy differs from its original in the last 32 bits of its ids, and in what is unique or searched for. It was written a
day before it, so that no hourly check takes it for new. Triggers and foreign keys are off while rows are copied: they
were kept for the originals.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from benchmarks.database import superuser

_STEP = 50_000
"""Copies that one statement makes."""
_SHARED = {"plan_id", "run_id", "tax_rate_id"}
_NAMED: Mapping[str, Mapping[str, str]] = {
    "accounts_account": {
        "name": "'Customer ' || n",
        "email": "'customer' || n || '@example.com'",
        "external_reference": "'ref-' || n",
        "number_prefix": "upper(lpad(to_hex(n), 8, '0'))",
    },
    "invoices_invoice": {
        "number": "upper(lpad(to_hex(n), 8, '0')) || right(number, 5)",
        "customer_name": "'Customer ' || n",
        "customer_email": "'customer' || n || '@example.com'",
    },
    "ledger_entry": {"idempotency_key": "left(idempotency_key, -8) || lpad(to_hex(n), 8, '0')"},
    "payments_payment": {"gateway_reference": "gateway_reference || '-' || n"},
}
_OF_ACCOUNT = {
    "accounts_account": "id",
    "accounts_terms": "account_id",
    "accounts_accountchange": "account_id",
    "rebilling_rebilling": "account_id",
    "invoices_invoice": "account_id",
    "ledger_entry": "account_id",
    "payments_payment": "account_id",
    "accounts_discount": "account_id",
    "invoices_item": "account_id",
}


def copy_account(account_id: uuid.UUID, *, copies: int) -> None:
    """Add so many accounts that are like it."""
    from accounts.models import Account

    # Numbers that no copy has yet.
    before = Account.objects.count()
    for first in range(before + 1, before + copies + 1, _STEP):
        _copy(account_id, numbers=(first, min(first + _STEP - 1, before + copies)))


def _copy(account_id: uuid.UUID, *, numbers: tuple[int, int]) -> None:
    with superuser() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for table, column in _OF_ACCOUNT.items():
            _copy_rows(cursor, table, f"original.{column} = %(account)s", account_id, numbers)
        of_invoices = "original.invoice_id IN (SELECT id FROM invoices_invoice WHERE account_id = %(account)s)"
        _copy_rows(cursor, "invoices_invoiceline", of_invoices, account_id, numbers)


def _copy_rows(cursor: Any, table: str, condition: str, account_id: uuid.UUID, numbers: tuple[int, int]) -> None:
    cursor.execute(
        "SELECT attname, atttypid::regtype::text FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
        [table],
    )
    columns = dict(cursor.fetchall())
    values = [_NAMED.get(table, {}).get(column) or _value(column, type_) for column, type_ in columns.items()]
    cursor.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} "
        f"FROM {table} AS original CROSS JOIN generate_series(%(first)s, %(last)s) AS n WHERE {condition}",
        {"account": str(account_id), "first": numbers[0], "last": numbers[1]},
    )


def _value(column: str, type_: str) -> str:
    if type_ == "uuid" and column not in _SHARED:
        return f"(left(original.{column}::text, 28) || lpad(to_hex(n), 8, '0'))::uuid"
    if type_ == "timestamp with time zone":
        return f"original.{column} - interval '1 day'"
    return f"original.{column}"
