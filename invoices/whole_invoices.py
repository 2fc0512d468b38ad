"""An invoice with its lines and what went between it and the credit balance, as it was issued."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from invoices.models import BalanceUse, Invoice, InvoiceLine


@dataclass(frozen=True, slots=True)
class WholeInvoice:
    """Its lines come in order, each with its tax rate. It may have been rolled back since it was read."""

    invoice: Invoice
    lines: Sequence[InvoiceLine]
    balance_uses: Sequence[BalanceUse]


def whole_invoice(invoice_id: uuid.UUID) -> WholeInvoice:
    """The invoice, in a constant number of statements."""
    invoice = Invoice.objects.get(id=invoice_id)
    return WholeInvoice(
        invoice,
        list(invoice.lines.select_related("tax_rate").order_by("position")),
        list(invoice.balance_uses.order_by("id")),
    )
