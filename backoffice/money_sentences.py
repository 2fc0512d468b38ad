"""What was billed, credited, sent back and written off of an account, in sentences."""

import uuid
from collections.abc import Iterator

from accounts.currencies import display
from accounts.models import Account
from accounts.phrases import day_in_words
from backoffice.amounts import line_in_words
from invoices.models import BalanceUse, CreditNote, Invoice
from invoices.whole_invoices import WholeInvoice, whole_invoice
from ledger.models import Entry, EntryType
from payments.models import Refund


def money_in_words(account: Account, *, since: uuid.UUID) -> Iterator[str]:
    """By the rows of the account with an id above `since`; "Nothing is billed now." where no invoice is issued."""
    yield from _credit_notes(account, since)
    yield from _refunds(account, since)
    invoices = [whole_invoice(row.id) for row in account.invoices.filter(id__gt=since).order_by("id")]
    for invoice in invoices:
        yield from _invoice(invoice)
    if not invoices:
        yield "Nothing is billed now."
    yield from _credit_used(account, since)
    yield from _entries(account, since)


def next_in_words(upcoming: object) -> Iterator[str]:
    """The upcoming invoice, where one is to come."""
    if isinstance(upcoming, WholeInvoice):
        yield f"If nothing else changes until then, the next invoice is issued on {issued_in_words(upcoming)}."


def issued_in_words(upcoming: WholeInvoice) -> str:
    """When it is issued and over what: "1 Feb 2026, over 19.99 USD"."""
    total = _money(upcoming.invoice.total_minor, upcoming.invoice.currency)
    return f"{day_in_words(upcoming.invoice.issued_on)}, over {total}"


def _credit_notes(account: Account, since: uuid.UUID) -> Iterator[str]:
    for note in CreditNote.objects.filter(account=account, id__gt=since).select_related("invoice").order_by("id"):
        parts = {
            "off what is outstanding": note.from_outstanding_minor,
            "off what was written off": note.from_written_off_minor,
            "to the account's credit": note.to_balance_minor,
        }
        where = " and ".join(f"{_money(amount, note.currency)} {words}" for words, amount in parts.items() if amount)
        yield f"Of invoice {note.invoice.number}, {_money(note.amount_minor, note.currency)} is credited: {where}."


def _refunds(account: Account, since: uuid.UUID) -> Iterator[str]:
    refunds = Refund.objects.filter(account=account, id__gt=since).select_related("payment__invoice")
    for refund in refunds.order_by("id"):
        invoice = refund.payment.invoice
        of = f" of invoice {invoice.number}" if invoice else ""
        yield f"{_money(refund.amount_minor, refund.currency)} is sent back against the payment{of}."


def _invoice(whole: WholeInvoice) -> Iterator[str]:
    invoice, currency = whole.invoice, whole.invoice.currency
    yield f"An invoice over {_money(invoice.total_minor, currency)} is issued now."
    yield from lines_in_words(whole)
    for use in whole.balance_uses:
        yield _USES[use.kind].format(_money(use.amount_minor, currency))
    yield _to_collect(invoice)


def lines_in_words(whole: WholeInvoice) -> Iterator[str]:
    """What each line is for, and what it comes to."""
    for line in whole.lines:
        yield line_in_words(
            line.description,
            total_minor=line.total_minor,
            tax_minor=line.tax_minor,
            currency=whole.invoice.currency,
            discount_minor=line.discount_minor,
        )


_USES: dict[str, str] = {
    BalanceUse.Kind.CREDIT: "{} of it comes from the account's credit.",
    BalanceUse.Kind.BROUGHT_FORWARD: "{} is owed from before, and collected with it.",
    BalanceUse.Kind.CARRIED_FORWARD: "{} of it is too small to collect, and goes to the next invoice.",
}


def _to_collect(invoice: Invoice) -> str:
    outstanding = _money(invoice.outstanding_minor, invoice.currency)
    if not invoice.outstanding_minor:
        return "Nothing of it is to be collected."
    if invoice.collection_method == Account.CollectionMethod.SEND_INVOICE:
        return f"The customer is to pay {outstanding} by {day_in_words(invoice.due_on)}."
    return f"{outstanding} is collected at the gateway."


def _credit_used(account: Account, since: uuid.UUID) -> Iterator[str]:
    """Credit that goes to invoices of before."""
    uses = BalanceUse.objects.filter(
        invoice__account=account, invoice__id__lte=since, id__gt=since, kind=BalanceUse.Kind.CREDIT
    )
    for use in uses.select_related("invoice").order_by("id"):
        amount = _money(use.amount_minor, account.currency)
        yield f"{amount} of the account's credit goes to invoice {use.invoice.number}."


def _entries(account: Account, since: uuid.UUID) -> Iterator[str]:
    """What is written off, and credit that no credit note gives."""
    kinds = {EntryType.WRITE_OFF: "is written off", EntryType.CREDIT: "becomes credit"}
    for entry in Entry.objects.filter(account=account, id__gt=since, type__in=kinds).order_by("id"):
        words = kinds[EntryType(entry.type)]
        yield f"{_money(entry.amount_minor, entry.currency)} {words}: {entry.description}."


def _money(amount_minor: int, currency: str) -> str:
    return display(amount_minor=amount_minor, currency=currency)
