"""Many accounts that were billed for months: a few are made by the product's own operations, and their rows copied.

A copy differs from its original in the last 32 bits of its ids, and in what is unique or searched for. Triggers and
foreign keys are off while rows are copied: they were kept for the originals.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.database import analyze, superuser

_STEP = 50_000
"""Copies that one statement makes."""
_SHARED = {"plan_id", "run_id", "tax_rate_id", "discount_id"}
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
}


def populate(*, due: Sequence[int], others: int, months: int) -> None:
    """Accounts that were billed monthly for so many months before TODAY; of them `due[n]` are due n days after TODAY,
    and the others half a month later.
    """
    from tests.builders import TODAY

    counts = {TODAY + datetime.timedelta(days=day): count for day, count in enumerate(due)}
    counts[TODAY + datetime.timedelta(days=15)] = others
    copied = 0
    originals = _billed_accounts({day: count for day, count in counts.items() if count}, months=months)
    for account_id, count in originals:
        for first in range(1, count, _STEP):
            numbers = (copied + first, copied + min(first + _STEP, count) - 1)
            _copy(account_id, numbers=numbers)
        copied += count
    _reconcile_all()
    analyze()


def _billed_accounts(counts: Mapping[datetime.date, int], *, months: int) -> list[tuple[str, int]]:
    """One account for each day on which accounts are due next, with the number of accounts that are to be like it."""
    from dateutil.relativedelta import relativedelta

    from benchmarks.due_batches import AnswersAtOnce
    from tests.builders import a_plan, an_account, billed

    plan = a_plan()
    made = []
    for day, count in counts.items():
        first = day - relativedelta(months=months)
        fields: dict[str, Any] = {
            "anchor_date": first,
            "rebilling_date": first,
            "payment_customer": "cus_1",
            "payment_method": "pm_1",
        }
        account = an_account(plan=plan, today=first, **fields)
        made.append((str(account.id), count))
    starts = sorted(day - relativedelta(months=month) for day in counts for month in range(1, months + 1))
    for start in starts:
        billed(as_of=start, gateway=AnswersAtOnce())
    return made


def _copy(account_id: str, *, numbers: tuple[int, int]) -> None:
    with superuser() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for table, column in _OF_ACCOUNT.items():
            _copy_rows(cursor, table, f"original.{column} = %(account)s", account_id, numbers)
        of_invoices = "original.invoice_id IN (SELECT id FROM invoices_invoice WHERE account_id = %(account)s)"
        _copy_rows(cursor, "invoices_invoiceline", of_invoices, account_id, numbers)


def _copy_rows(cursor: Any, table: str, condition: str, account_id: str, numbers: tuple[int, int]) -> None:
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
        {"account": account_id, "first": numbers[0], "last": numbers[1]},
    )


def _value(column: str, type_: str) -> str:
    if type_ == "uuid" and column not in _SHARED:
        return f"(left(original.{column}::text, 28) || lpad(to_hex(n), 8, '0'))::uuid"
    return f"original.{column}"


def _reconcile_all() -> None:
    """The runs' figures are those of all the copies."""
    from django.utils import timezone

    from rebilling.models import Run
    from rebilling.reconciliation.reconcile import open_runs, reconcile

    reconcile(runs=open_runs(), now=timezone.now())
    assert not Run.objects.exclude(status=Run.Status.RECONCILED).exists()
