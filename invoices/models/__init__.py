"""What a customer owes: invoices with their lines, what reduces them, and what goes between them and the balance."""

from invoices.models.balance_use import BalanceUse
from invoices.models.credit_note import CreditNote, CreditNoteLine
from invoices.models.invoice import OUTSTANDING, Invoice, InvoiceLine
from invoices.models.number_series import NumberSeries

__all__ = ["OUTSTANDING", "BalanceUse", "CreditNote", "CreditNoteLine", "Invoice", "InvoiceLine", "NumberSeries"]
