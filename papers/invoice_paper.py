"""The paper of an invoice: what was frozen when it was issued, and what became of it since."""

import uuid
from collections.abc import Iterable, Iterator

from accounts.currencies import display
from accounts.phrases import day_in_words, period_in_words
from invoices.locked_invoices import UnknownInvoice
from invoices.models import BalanceUse, Invoice, InvoiceLine
from invoices.taxes_by_rate import RateTotal, taxes_by_rate
from ledger.models import Entry, EntryType
from papers.company import company
from papers.paper import Column, Paper, Section
from payments.models import OFFLINE, Payment

LINE_COLUMNS = (
    Column(title="Description", parts=40),
    Column(title="Quantity", parts=10, is_number=True),
    Column(title="Unit price", parts=17, is_number=True),
    Column(title="Discount", parts=16, is_number=True),
    Column(title="Amount", parts=17, is_number=True),
)
MOVEMENT_COLUMNS = (
    Column(title="Day", parts=15),
    Column(title="What", parts=65),
    Column(title="Amount", parts=20, is_number=True),
)
_MOVEMENTS = {
    EntryType.PAYMENT_REVERSED: "Payment taken back",
    EntryType.REFUND: "Refunded",
    EntryType.REFUND_REVERSED: "Refund came back",
    EntryType.WRITE_OFF: "Written off",
    EntryType.RECOVERY: "Recovered of what was written off",
    EntryType.REVERSAL: "Write-off reversed",
}
_BALANCE_USES: dict[str, str] = {
    BalanceUse.Kind.CREDIT: "From your credit",
    BalanceUse.Kind.BROUGHT_FORWARD: "Owed from before",
    BalanceUse.Kind.CARRIED_FORWARD: "Too small to collect: goes to the next invoice",
}


def invoice_paper(invoice_id: uuid.UUID) -> Paper:
    """In a constant number of statements. Raises `UnknownInvoice`."""
    invoice = Invoice.objects.filter(id=invoice_id).first()
    if invoice is None:
        raise UnknownInvoice(f"There is no invoice {invoice_id}.")
    lines = list(invoice.lines.select_related("tax_rate").order_by("position"))
    sections = [_lines(invoice, lines), _taxes(invoice, lines), _movements(invoice)]
    return Paper(
        title="Invoice",
        number=invoice.number,
        dated_on=invoice.issued_on,
        company=company(name=invoice.seller),
        customer=customer_of(invoice),
        language=invoice.customer_language,
        facts=tuple(_facts(invoice, lines)),
        sections=tuple(section for section in sections if section.rows),
        totals=tuple(_totals(invoice, lines)),
    )


def customer_of(invoice: Invoice) -> tuple[str, ...]:
    """The customer as the invoice keeps it: the name first, then a line for each of the rest that it has."""
    tax_id = invoice.customer_tax_id and f"Tax id {invoice.customer_tax_id}"
    rest = (invoice.customer_address, invoice.customer_country, tax_id, invoice.customer_email)
    return tuple(filter(None, (invoice.customer_name, *rest)))


def _facts(invoice: Invoice, lines: list[InvoiceLine]) -> Iterator[tuple[str, str]]:
    yield "Number", invoice.number
    yield "Issued", day_in_words(invoice.issued_on)
    yield "Due", day_in_words(invoice.due_on)
    days = [(line.period_start, line.period_end) for line in lines if line.period_start and line.period_end]
    if days:
        yield "Period", period_in_words(start=min(start for start, _ in days), end=max(end for _, end in days))
    yield "Status", invoice.status.capitalize()


def _lines(invoice: Invoice, lines: list[InvoiceLine]) -> Section:
    def money(amount_minor: int) -> str:
        return display(amount_minor=amount_minor, currency=invoice.currency)

    rows = tuple(
        (
            line.description,
            f"{line.quantity:,}",
            money(line.unit_amount_minor),
            money(-line.discount_minor) if line.discount_minor else "",
            money(line.amount_minor),
        )
        for line in lines
    )
    return Section(title="", columns=LINE_COLUMNS, rows=rows)


def _taxes(invoice: Invoice, lines: list[InvoiceLine]) -> Section:
    return tax_section(taxes_by_rate(lines), currency=invoice.currency)


def tax_section(totals: Iterable[RateTotal], *, currency: str) -> Section:
    """The taxes, a row for each rate."""
    columns = (
        Column(title="Tax", parts=60),
        Column(title="Of", parts=20, is_number=True),
        Column(title="Amount", parts=20, is_number=True),
    )
    rows = tuple(
        (
            _rate_in_words(total),
            display(amount_minor=total.net_minor, currency=currency),
            display(amount_minor=total.tax_minor, currency=currency),
        )
        for total in totals
    )
    return Section(title="Taxes", columns=columns, rows=rows)


def _rate_in_words(total: RateTotal) -> str:
    why = total.rate.exemption_reason or ("included in the amounts" if total.rate.inclusive else "")
    return f"{total.rate} ({why})" if why else str(total.rate)


def _movements(invoice: Invoice) -> Section:
    """What was credited, applied and paid, in the order of its rows, which is that of time."""
    found = [*_of_balance(invoice), *_of_credit_notes(invoice), *_of_entries(invoice)]
    return Section(
        title="Credits and payments",
        columns=MOVEMENT_COLUMNS,
        rows=tuple(row for _, row in sorted(found, key=lambda each: each[0])),
    )


Movement = tuple[uuid.UUID, tuple[str, str, str]]


def _row(row: BalanceUse | Entry, day: str, what: str, amount_minor: int, currency: str) -> Movement:
    return row.id, (day, what, display(amount_minor=amount_minor, currency=currency))


def _of_balance(invoice: Invoice) -> Iterator[Movement]:
    for use in invoice.balance_uses.order_by("id"):
        amount = use.amount_minor if use.kind == BalanceUse.Kind.BROUGHT_FORWARD else -use.amount_minor
        yield _row(use, day_in_words(use.used_on), _BALANCE_USES[use.kind], amount, invoice.currency)


def _of_credit_notes(invoice: Invoice) -> Iterator[Movement]:
    for note in invoice.credit_notes.order_by("id"):
        what = f"Credit note {note.number}"
        if beside := note.to_balance_minor + note.to_refund_minor:
            what += f" ({display(amount_minor=beside, currency=note.currency)} of it as credit or refund)"
        money = display(amount_minor=-note.amount_minor, currency=note.currency)
        yield note.id, (day_in_words(note.issued_on), what, money)


def _of_entries(invoice: Invoice) -> Iterator[Movement]:
    payments = {payment.id: payment for payment in invoice.payments.filter(status=Payment.Status.SUCCEEDED)}
    kinds = (EntryType.PAYMENT, *_MOVEMENTS)
    for entry in Entry.objects.filter(invoice_id=invoice.id, type__in=kinds).order_by("id"):
        day = day_in_words(entry.effective_on)
        if entry.payment_id and entry.type == EntryType.PAYMENT:
            yield _row(entry, day, _paid_by(payments[entry.payment_id]), -entry.amount_minor, entry.currency)
        else:
            came_in = entry.type in (EntryType.REFUND_REVERSED, EntryType.WRITE_OFF)
            amount = -entry.amount_minor if came_in else entry.amount_minor
            yield _row(entry, day, _MOVEMENTS[EntryType(entry.type)], amount, entry.currency)


def _paid_by(payment: Payment) -> str:
    """When it was paid stands beside it; `gateway_reference` of offline money is what the payer or the bank wrote."""
    if payment.gateway == OFFLINE:
        what = f"Paid offline ({payment.gateway_reference})"
    else:
        what = f"Paid through {payment.gateway}"
    if payment.excess_minor:
        excess = display(amount_minor=payment.excess_minor, currency=payment.currency)
        return f"{what}, {excess} of it became credit"
    return what


def _totals(invoice: Invoice, lines: list[InvoiceLine]) -> Iterator[tuple[str, str]]:
    """The last is what is left to pay; the first, less those between, comes to it."""
    if any(line.tax_rate_id for line in lines):
        yield (
            "Total without tax",
            display(amount_minor=invoice.total_minor - invoice.tax_minor, currency=invoice.currency),
        )
        yield "Tax", display(amount_minor=invoice.tax_minor, currency=invoice.currency)
    yield "Total", display(amount_minor=invoice.total_minor, currency=invoice.currency)
    parts = (
        ("Credited", invoice.credited_minor),
        ("Credit balance", invoice.balance_applied_minor),
        ("Paid", invoice.paid_minor),
        ("Written off", invoice.written_off_minor),
    )
    for label, amount in parts:
        if amount:
            yield label, display(amount_minor=-amount, currency=invoice.currency)
    yield "Left to pay", display(amount_minor=invoice.outstanding_minor, currency=invoice.currency)
