"""Forgeries: statements past the operations, on two accounts whose books agree."""

from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, connection, transaction

from accounts.errors import violated_constraint
from accounts.models import Account
from invoices.models import Invoice, InvoiceLine
from payments.models import Payment
from rebilling.books import changed_runs, discrepancies
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.reconcile import reconcile
from tests.builders import NOW, TODAY, an_account, billed


@dataclass
class Sound:
    """Two accounts, each with a paid invoice of 19.99 for January, and the run that charged them, reconciled."""

    account: Account
    other: Account
    run: Run

    @property
    def invoice(self) -> Invoice:
        return self.account.invoices.get()

    @property
    def line(self) -> InvoiceLine:
        return self.invoice.lines.get()

    @property
    def payment(self) -> Payment:
        return self.account.payments.get()

    @property
    def rebilling(self) -> Rebilling:
        return self.account.rebillings.get()


def sound_accounts() -> Sound:
    account, other = an_account(), an_account()
    run = billed(as_of=TODAY)
    reconcile(runs=[run], now=NOW)
    run.refresh_from_db()
    assert run.status == Run.Status.RECONCILED
    assert discrepancies() + changed_runs() == []
    return Sound(account=account, other=other, run=run)


def execute(statement: str, **parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def attempt(statement: str, **parameters: Any) -> str:
    """Run it, and what waits for the commit. The name of the rule that refused it, or "": it was done."""
    try:
        with transaction.atomic():
            execute(statement, **parameters)
            execute("SET CONSTRAINTS ALL IMMEDIATE")
            execute("SET CONSTRAINTS ALL DEFERRED")
    except DatabaseError as error:
        if getattr(error.__cause__, "pgcode", "") == "42501":
            return "no privilege"
        return violated_constraint(error)  # type: ignore[arg-type]
    return ""


def names() -> set[str]:
    return {discrepancy.name for discrepancy in discrepancies() + changed_runs()}


def copied(table: str, **changes: str) -> str:
    """An INSERT of the row `%(id)s` again, with some columns by other SQL."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'"
            " AND NOT (table_name = 'ledger_entry' AND column_name = 'created_at') ORDER BY ordinal_position",
            [table],
        )
        columns = [name for (name,) in cursor.fetchall()]
    values = ", ".join(changes.get(name, name) for name in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} WHERE id = %(id)s"


ANEW = "gen_random_uuid()"
