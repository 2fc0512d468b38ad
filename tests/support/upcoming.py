"""An invoice that is to come, and what an invoice is compared by."""

import datetime
from typing import Any

from accounts.models import Account
from invoices.models import Invoice
from invoices.whole_invoices import WholeInvoice
from subscriptions.upcoming_invoice import NoUpcomingInvoice, upcoming_invoice
from tests.builders import TODAY, at
from tests.support.unchanged import nothing_moves


def signed(day: datetime.date = TODAY) -> dict[str, Any]:
    """What goes with an operation of this day."""
    return {"reason": "as agreed", "author": "test", "today": day, "now": at(day)}


def contents(invoice: Invoice, lines: Any, uses: Any) -> dict[str, Any]:
    """All that an invoice has when it is issued, but for ids."""
    return {
        "invoice": {
            field.attname: getattr(invoice, field.attname)
            for field in Invoice._meta.concrete_fields
            if field.attname not in ("id", "created_at")
        },
        "lines": [
            {
                field.attname: getattr(line, field.attname)
                for field in line._meta.concrete_fields
                if field.attname not in ("id", "invoice_id", "rebilling_id")
            }
            | {"tax_rate": line.tax_rate}
            for line in lines
        ],
        "uses": [(use.kind, use.amount_minor, use.used_on) for use in uses],
    }


def previewed(account: Account, *, on: datetime.date) -> WholeInvoice | NoUpcomingInvoice:
    with nothing_moves():
        return upcoming_invoice(account_id=account.id, today=on, now=at(on))
