"""Every row that there is at one moment, and rows put together."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from accounts.models import Account
from invoices.models import CreditNote, CreditNoteLine, Invoice, InvoiceLine, Item
from ledger.models import Entry
from payments.models import Payment, Refund
from rebilling.models import Proration, Rebilling

Row = TypeVar("Row")
Key = TypeVar("Key", bound=Hashable)


class Rows:
    """Every row there is at one moment, in order."""

    def __init__(self) -> None:
        self.accounts = list(Account.objects.order_by("id"))
        self.rebillings = list(Rebilling.objects.order_by("account_id", "period_start", "id"))
        self.invoices = list(Invoice.objects.order_by("id"))
        self.invoices_by_account = grouped(self.invoices, lambda invoice: invoice.account_id)
        self.lines = list(InvoiceLine.objects.select_related("tax_rate").order_by("invoice_id", "position"))
        self.items = list(Item.objects.order_by("id"))
        self.credit_notes = list(CreditNote.objects.order_by("id"))
        self.credit_note_lines = list(CreditNoteLine.objects.order_by("id"))
        self.prorations = list(Proration.objects.order_by("id"))
        self.notes_of_changes = {note.id for note in self.credit_notes if note.proration_id}
        self.entries = list(Entry.objects.order_by("id"))
        self.payments = list(Payment.objects.order_by("id"))
        self.refunds = list(Refund.objects.order_by("id"))
        self.taken_back = {
            entry.payment_id: entry.amount_minor for entry in self.entries if entry.type == "payment_reversed"
        }
        self.from_payment = [refund for refund in self.refunds if refund.source == "payment"]

    def paid_of(self, payment: Payment) -> int:
        """What stays paid of its invoice: of a payment that was taken back, what had been refunded before."""
        if payment.status != "SUCCEEDED":
            return 0
        if payment.id not in self.taken_back:
            return payment.applied_minor
        sent = [each for each in self.from_payment if each.payment_id == payment.id and each.status == "SUCCEEDED"]
        return sum(refund.amount_minor for refund in sent)

    def credit_of(self, payment: Payment) -> int:
        """What it added to the credit balance."""
        if payment.status != "SUCCEEDED":
            return 0
        excess = payment.amount_minor - payment.applied_minor
        owed_again = payment.applied_minor - self.paid_of(payment)
        return excess + owed_again - self.taken_back.get(payment.id, 0)


def grouped(rows: Iterable[Row], key: Callable[[Row], Key]) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def summed(rows: Iterable[Row], key: Callable[[Row], Key], amount: Callable[[Row], int]) -> Counter[Key]:
    """The amounts, added up by key."""
    totals: Counter[Key] = Counter()
    for row in rows:
        totals[key(row)] += amount(row)
    return totals
