"""What a customer owes: invoices with their lines, what waits for the next one, what reduces them, and what goes
between them and the balance.
"""

from invoices.models.balance_use import BalanceUse
from invoices.models.credit_note import CreditNote, CreditNoteLine
from invoices.models.invoice import OUTSTANDING, Invoice, InvoiceLine
from invoices.models.item import PENDING, Item
from invoices.models.number_series import NumberSeries

__all__ = [
    "OUTSTANDING",
    "PENDING",
    "BalanceUse",
    "CreditNote",
    "CreditNoteLine",
    "Invoice",
    "InvoiceLine",
    "Item",
    "NumberSeries",
]
