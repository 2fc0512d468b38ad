"""What happened to an invoice, in sentences for people: on its page in the admin, and in the API.

It is read from the rows that are there, in the order in which they were written; ids are in that order.
"""

import datetime
import uuid
from collections.abc import Iterator

from accounts.billing_day import billing_day
from accounts.currencies import display
from accounts.models import Account
from accounts.phrases import day_in_words
from invoices.locked_invoices import UnknownInvoice
from invoices.models import BalanceUse, CreditNote, Invoice, InvoiceLine
from invoices.taxes_by_rate import taxes_by_rate
from ledger.models import Entry, EntryType
from payments.amount_checks import SUPERSEDED
from payments.declines import AMOUNT_TOO_SMALL, BY_PERSON
from payments.dunning_steps import waits_for_review
from payments.models import OFFLINE, Payment, Refund
from payments.outcomes import OUR_FAULT
from subscriptions.account_story import WAITS_FOR_REVIEW

Event = tuple[uuid.UUID, str]
"""The id of the row that tells when it was, and the sentence."""

_CAUSES = {
    Payment.Cause.DUNNING: "as a step of dunning",
    Payment.Cause.REQUEST: "at the request of {author}",
    Payment.Cause.PAYMENT_METHOD: "with another payment method",
}


def explain_invoice(invoice_id: uuid.UUID, *, today: datetime.date) -> list[str]:
    """What happened to the invoice, oldest first, and what is still to come. In a constant number of statements.

    `today` is the billing day. Raises `UnknownInvoice`.
    """
    invoice = Invoice.objects.select_related("account").filter(id=invoice_id).first()
    if invoice is None:
        raise UnknownInvoice(f"There is no invoice {invoice_id}.")
    lines = list(invoice.lines.select_related("tax_rate").order_by("position"))
    payments = list(Payment.objects.filter(invoice_id=invoice_id).order_by("id"))
    refunds = Refund.objects.filter(payment__invoice_id=invoice_id, source=Refund.Source.PAYMENT).order_by("id")
    entries = list(Entry.objects.filter(invoice_id=invoice_id).select_related("reverses").order_by("id"))
    credit_notes = CreditNote.objects.filter(invoice_id=invoice_id).order_by("id")
    events: list[Event] = [
        *_of_payments(payments, entries),
        *_of_refunds(list(refunds), entries),
        *_of_credit_notes(list(credit_notes)),
        *_of_entries(entries),
        *_of_balance_uses(invoice),
    ]
    # By id alone: of two sentences about one row, the first stays first.
    events.sort(key=lambda event: event[0])
    return [
        *_change(invoice, lines),
        *_issue(invoice, payments),
        *_of_lines(invoice, lines),
        *(sentence for _, sentence in events),
        *_state(invoice, today),
    ]


def _change(invoice: Invoice, lines: list[InvoiceLine]) -> Iterator[str]:
    """The change of terms within a period that it was issued for; no statement where it has no line of one."""
    if any(line.kind == InvoiceLine.Kind.PRORATION and line.item_id is None for line in lines):
        for proration in invoice.prorations.select_related("terms"):
            terms, day = proration.terms, day_in_words(proration.changed_on)
            yield _sentence(f"Billed for the change of terms on {day} by {terms.author}: {terms.reason}")


def _issue(invoice: Invoice, payments: list[Payment]) -> Iterator[str]:
    total = _money(invoice, invoice.total_minor)
    issued = f"Issued on {day_in_words(invoice.issued_on)} for {total}"
    if invoice.collection_method == Account.CollectionMethod.SEND_INVOICE:
        yield f"{issued}, to be paid by the customer by {day_in_words(invoice.due_on)}."
    else:
        yield f"{issued}, to be collected at once."
    if invoice.declined_on and not payments:
        yield "The account's payment method can't be used, so nothing was tried: it counts as declined."


def _of_lines(invoice: Invoice, lines: list[InvoiceLine]) -> Iterator[str]:
    """What was taken off its lines, and their taxes."""
    if discount := sum(line.discount_minor for line in lines):
        yield f"A discount of {_money(invoice, discount)} is taken off."
    for total in taxes_by_rate(lines):
        yield f"{total.in_words(invoice.currency)}."


def _of_payments(payments: list[Payment], entries: list[Entry]) -> Iterator[Event]:
    booked = {entry.payment_id: entry for entry in entries if entry.type == EntryType.PAYMENT}
    for payment in payments:
        entry = booked.get(payment.id)
        if entry is not None:
            yield entry.id, _collected(payment, entry)
        else:
            yield payment.id, _not_collected(payment)


def _collected(payment: Payment, entry: Entry) -> str:
    amount, day = _money(payment, payment.amount_minor), day_in_words(entry.effective_on)
    if payment.gateway == OFFLINE:
        sentence = f"{amount} was received offline on {day} ({payment.gateway_reference})"
    else:
        sentence = f"{amount} was collected on {day} through {payment.gateway}{_cause(payment)}"
    if payment.excess_minor:
        sentence += f"; {_money(payment, payment.excess_minor)} of it was more than was outstanding and became credit"
    return f"{sentence}."


def _not_collected(payment: Payment) -> str:
    amount = _money(payment, payment.amount_minor)
    if payment.completed_at is None:
        return _in_flight(payment, amount)
    day, code = day_in_words(billing_day(payment.completed_at)), payment.decline_code
    if code == SUPERSEDED:
        return f"A payment of {amount} was not sent on {day}: less was outstanding by then."
    if code == BY_PERSON:
        found = f"{payment.resolved_by} found on {day} that a payment of {amount} had taken no money"
        return _sentence(f"{found}: {payment.resolution}")
    if code == AMOUNT_TOO_SMALL:
        return f"A payment of {amount} was too small for the gateway on {day}."
    if code in OUR_FAULT:
        return f"A payment of {amount} failed on {day}, which is no decline: {OUR_FAULT[code]}."
    return f"A payment of {amount} was declined on {day}{_cause(payment)} ({code})."


def _in_flight(payment: Payment, amount: str) -> str:
    if payment.needs_review:
        return _sentence(f"A payment of {amount} needs attention: {payment.review_reason}")
    if payment.status == Payment.Status.UNKNOWN:
        return f"It is not known yet what became of a payment of {amount}: it is looked up at the gateway."
    return f"A payment of {amount} was submitted on {day_in_words(billing_day(payment.submitted_at))}{_cause(payment)}."


def _cause(payment: Payment) -> str:
    why = _CAUSES.get(Payment.Cause(payment.cause), "")
    return f" {why}".rstrip().format(author=payment.created_by)


def _of_refunds(refunds: list[Refund], entries: list[Entry]) -> Iterator[Event]:
    booked = {entry.refund_id: entry for entry in entries if entry.type == EntryType.REFUND}
    for refund in refunds:
        amount, entry = _money(refund, refund.amount_minor), booked.get(refund.id)
        if entry is not None:
            yield entry.id, _sentence(f"{amount} was refunded on {day_in_words(entry.effective_on)}: {refund.reason}")
        elif refund.status == Refund.Status.FAILED:
            yield refund.id, f"A refund of {amount} failed ({refund.failure_code})."
        elif refund.needs_review:
            yield refund.id, _sentence(f"A refund of {amount} needs attention: {refund.review_reason}")
        else:
            yield refund.id, _sentence(f"A refund of {amount} is on its way: {refund.reason}")


def _of_credit_notes(credit_notes: list[CreditNote]) -> Iterator[Event]:
    for note in credit_notes:
        parts = [
            f"{_money(note, amount)} {what}"
            for amount, what in (
                (note.from_outstanding_minor, "off what was outstanding"),
                (note.from_written_off_minor, "off what was written off"),
                (note.to_balance_minor, "to the account's credit balance"),
                (note.to_refund_minor, "for the refund"),
            )
            if amount
        ]
        issued = f"Credit note {note.number} on {day_in_words(note.issued_on)}"
        yield note.id, _sentence(f"{issued}, {' and '.join(parts)}: {note.reason}")


def _of_balance_uses(invoice: Invoice) -> Iterator[Event]:
    for use in invoice.balance_uses.order_by("id"):
        amount, day = _money(invoice, use.amount_minor), day_in_words(use.used_on)
        if use.kind == BalanceUse.Kind.CREDIT:
            yield use.id, f"{amount} was paid from the account's credit balance on {day}."
        elif use.kind == BalanceUse.Kind.BROUGHT_FORWARD:
            yield use.id, f"{amount} that was owed from before was brought forward to it."
        else:
            yield use.id, f"{amount} was too small to collect on {day}, and is carried forward to the next invoice."


def _of_entries(entries: list[Entry]) -> Iterator[Event]:
    for entry in entries:
        amount, day = _money(entry, entry.amount_minor), day_in_words(entry.effective_on)
        if entry.type == EntryType.WRITE_OFF:
            yield entry.id, _sentence(f"{amount} was written off on {day}: {entry.description}")
        elif entry.type == EntryType.REVERSAL:
            yield entry.id, _sentence(f"The write-off of {amount} was reversed on {day}: {entry.description}")
        elif entry.type == EntryType.PAYMENT_REVERSED:
            yield entry.id, _sentence(f"The payment of {amount} was taken back on {day}: {entry.description}")
        elif entry.type == EntryType.RECOVERY:
            yield entry.id, f"{amount} of what had been written off was recovered on {day}."


def _state(invoice: Invoice, today: datetime.date) -> Iterator[str]:
    if invoice.status == Invoice.Status.VOID:
        yield "It is void: all of it was credited."
    elif invoice.status == Invoice.Status.UNCOLLECTIBLE:
        yield f"It is uncollectible: {_money(invoice, invoice.written_off_minor)} is written off."
    elif invoice.status == Invoice.Status.PAID:
        yield "It is paid." if invoice.total_minor or invoice.paid_minor else "There was nothing to pay."
    else:
        yield f"{_money(invoice, invoice.outstanding_minor)} is outstanding."
        yield from _what_comes(invoice, today)
    if invoice.account.credit_balance_minor < 0:
        balance = _money(invoice, invoice.account.credit_balance_minor)
        if invoice.account.status == Account.Status.INACTIVE:
            yield f"The account's credit balance is {balance}: it has no next invoice, so bill the debt on its page."
        else:
            yield f"The account's credit balance is {balance}: the next invoice brings it forward."


def _what_comes(invoice: Invoice, today: datetime.date) -> Iterator[str]:
    """What is done about an OPEN invoice."""
    account = invoice.account
    if invoice.in_flight:
        return
    if invoice.collection_method == Account.CollectionMethod.SEND_INVOICE:
        is_past = invoice.due_on < today
        day = day_in_words(invoice.due_on)
        yield f"It was due on {day} and is past due." if is_past else f"It is due on {day}."
    elif invoice.declined_on is None:
        yield "Nothing collects it by itself: collect it now, or record what is paid offline."
    elif account.payment_method_unusable:
        yield "The account's payment method was declined for good: the invoice is collected once there is another."
    elif account.dunning_on and account.dunning_on < today and waits_for_review(account_id=account.id):
        yield WAITS_FOR_REVIEW
    elif account.dunning_on:
        yield f"The next step of dunning is on {day_in_words(account.dunning_on)}."
    else:
        yield "The dunning schedule is over: nothing collects it by itself."


def _sentence(text: str) -> str:
    """With one full stop; people end a reason with one, or don't."""
    return f"{text.removesuffix('.')}."


def _money(row: Invoice | Payment | Refund | CreditNote | Entry, amount_minor: int) -> str:
    return display(amount_minor=amount_minor, currency=row.currency)
