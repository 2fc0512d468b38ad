"""Invoices of locked accounts: read under the account's lock, changed in memory, written back in one statement.

As a `LockedAccount` does for accounts, a `LockedInvoice` stands for the lock: only an account that is locked has any.
"""

import datetime
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from accounts.array_literals import plain_array, uuid_array
from accounts.errors import Missing
from accounts.locked_accounts import LockedAccount, lock_account
from accounts.models import Account
from accounts.sql_files import query
from invoices.amounts import Amounts
from invoices.balance_uses import Use, applied, save_uses
from invoices.models import Invoice


class UnknownInvoice(Missing):
    code = "unknown-invoice"


@dataclass(slots=True)
class LockedInvoice:
    """An invoice whose account is locked. Its amounts are changed by `change` and `use_balance`; set `in_flight` and
    `declined_on`. The status follows."""

    id: uuid.UUID
    account_id: uuid.UUID
    number: str
    currency: str
    due_on: datetime.date
    collection_method: str
    in_flight: bool
    declined_on: datetime.date | None
    amounts: Amounts
    uses: list[Use] = field(default_factory=list)
    """What `use_balance` took, to be written down."""

    @property
    def status(self) -> Invoice.Status:
        return self.amounts.status

    @property
    def is_automatic(self) -> bool:
        """Whether it is collected at the gateway."""
        return self.collection_method == Account.CollectionMethod.AUTOMATIC

    def change(self, **amounts: int) -> None:
        """Add to some of its amounts, in minor units: `change(paid=1999)`."""
        current = self.amounts
        self.amounts = current._replace(**{name: getattr(current, name) + more for name, more in amounts.items()})

    def use_balance(self, account: LockedAccount, uses: Sequence[Use]) -> None:
        """Take these from the balance of the account, whose invoice it is."""
        account.credit_balance_minor -= applied(uses)
        self.change(balance_applied=applied(uses))
        self.uses += uses


def invoices_by_id(
    *, accounts: Collection[LockedAccount], ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, LockedInvoice]:
    """Those of the invoices that are the locked accounts', by id."""
    owners = {account.id for account in accounts}
    with connection.cursor() as cursor:
        cursor.execute(query(__file__, "invoices_by_id"), {"ids": uuid_array(ids)})
        found = [_invoice(row) for row in cursor.fetchall()]
    return {invoice.id: invoice for invoice in found if invoice.account_id in owners}


def open_invoices(*, accounts: Collection[LockedAccount]) -> dict[uuid.UUID, list[LockedInvoice]]:
    """The OPEN invoices of the locked accounts, oldest first, by account; every account has its list."""
    by_account: dict[uuid.UUID, list[LockedInvoice]] = {account.id: [] for account in accounts}
    with connection.cursor() as cursor:
        cursor.execute(query(__file__, "open_invoices"), {"accounts": uuid_array(by_account)})
        for row in cursor.fetchall():
            invoice = _invoice(row)
            by_account[invoice.account_id].append(invoice)
    return by_account


def lock_invoice(invoice_id: uuid.UUID) -> tuple[LockedAccount, LockedInvoice]:
    """The invoice and its account, locked until the transaction ends. Raises `UnknownInvoice`."""
    account_id = Invoice.objects.filter(id=invoice_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise UnknownInvoice(f"There is no invoice {invoice_id}.")
    account = lock_account(account_id)
    return account, invoices_by_id(accounts=[account], ids=[invoice_id])[invoice_id]


def _invoice(row: Any) -> LockedInvoice:
    """The last nine columns are its amounts."""
    fields: list[Any] = [*row[:-9], Amounts(*row[-9:])]
    return LockedInvoice(*fields)


def save_invoices(invoices: Collection[LockedInvoice]) -> None:
    """Write what was set on locked invoices, each with the status that follows from its amounts."""
    if not invoices:
        return
    amounts = [invoice.amounts for invoice in invoices]
    with connection.cursor() as cursor:
        cursor.execute(
            query(__file__, "save_invoices"),
            {
                "ids": uuid_array([invoice.id for invoice in invoices]),
                "statuses": plain_array([invoice.status.value for invoice in invoices]),
                "in_flight": plain_array([invoice.in_flight for invoice in invoices]),
                "declined": plain_array([invoice.declined_on for invoice in invoices]),
                "credited": plain_array([each.credited for each in amounts]),
                "applied": plain_array([each.balance_applied for each in amounts]),
                "paid": plain_array([each.paid for each in amounts]),
                "written_off": plain_array([each.written_off for each in amounts]),
                "to_balance": plain_array([each.credited_to_balance for each in amounts]),
                "to_refund": plain_array([each.credited_to_refund for each in amounts]),
                "refunded": plain_array([each.refunded for each in amounts]),
                "refunding": plain_array([each.refunding for each in amounts]),
            },
        )
    save_uses([(invoice.id, use) for invoice in invoices for use in invoice.uses])
    for invoice in invoices:
        invoice.uses.clear()
