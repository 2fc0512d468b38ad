"""An invoice's amounts, and the status that follows from them: the one place that knows it. Pure."""

from typing import NamedTuple

from invoices.models import Invoice


class Amounts(NamedTuple):
    """What became of an invoice's total so far; minor units of its currency. See `invoices.models.Invoice`."""

    total: int
    credited: int = 0
    balance_applied: int = 0
    paid: int = 0
    written_off: int = 0
    credited_to_balance: int = 0
    credited_to_refund: int = 0
    refunded: int = 0
    refunding: int = 0

    @property
    def outstanding(self) -> int:
        return self.total - self.credited - self.balance_applied - self.paid - self.written_off

    @property
    def credit_notes(self) -> int:
        """What all credit notes of the invoice came to."""
        return self.credited + self.credited_to_balance + self.credited_to_refund

    @property
    def left_to_credit(self) -> int:
        return self.total - self.credit_notes - self.refunding

    @property
    def left_to_refund(self) -> int:
        """What may still be sent back of what was paid: it is credited too, and never past the total."""
        return min(self.paid - self.refunded - self.refunding, self.left_to_credit)

    @property
    def status(self) -> Invoice.Status:
        if self.outstanding:
            return Invoice.Status.OPEN
        if self.written_off:
            return Invoice.Status.UNCOLLECTIBLE
        if self.total and self.credited == self.total and not self.paid and not self.balance_applied:
            return Invoice.Status.VOID
        return Invoice.Status.PAID


def amounts_of(invoice: Invoice) -> Amounts:
    """The amounts of an invoice as it was read; `invoices/locked_invoices.py` has those to change."""
    return Amounts(
        total=invoice.total_minor,
        credited=invoice.credited_minor,
        balance_applied=invoice.balance_applied_minor,
        paid=invoice.paid_minor,
        written_off=invoice.written_off_minor,
        credited_to_balance=invoice.credited_to_balance_minor,
        credited_to_refund=invoice.credited_to_refund_minor,
        refunded=invoice.refunded_minor,
        refunding=invoice.refunding_minor,
    )
