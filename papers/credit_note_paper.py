"""The paper of a credit note."""

import uuid
from collections.abc import Iterator

from accounts.currencies import display
from accounts.errors import Missing
from accounts.phrases import day_in_words
from invoices.models import CreditNote, CreditNoteLine
from invoices.taxes_by_rate import RateTotal
from papers.company import company
from papers.invoice_paper import customer_of, tax_section
from papers.paper import Column, Paper, Section

_COLUMNS = (Column(title="Description", parts=80), Column(title="Credited", parts=20, is_number=True))
_PARTS = (
    ("from_outstanding_minor", "Off what was left to pay"),
    ("from_written_off_minor", "Off what was written off"),
    ("to_balance_minor", "To your credit"),
    ("to_refund_minor", "Refunded"),
)


class UnknownCreditNote(Missing):
    code = "unknown-credit-note"


def credit_note_paper(credit_note_id: uuid.UUID) -> Paper:
    """In a constant number of statements. Raises `UnknownCreditNote`."""
    note = CreditNote.objects.select_related("invoice").filter(id=credit_note_id).first()
    if note is None:
        raise UnknownCreditNote(f"There is no credit note {credit_note_id}.")
    lines = list(note.lines.select_related("line__tax_rate").order_by("line__position"))
    rows = tuple(
        (part.line.description, display(amount_minor=part.amount_minor, currency=note.currency)) for part in lines
    )
    sections = (
        Section(title="", columns=_COLUMNS, rows=rows),
        tax_section(_taxes(lines), currency=note.currency),
    )
    return Paper(
        title="Credit note",
        number=note.number,
        dated_on=note.issued_on,
        company=company(name=note.invoice.seller),
        customer=customer_of(note.invoice),
        language=note.invoice.customer_language,
        facts=(
            ("Number", note.number),
            ("Issued", day_in_words(note.issued_on)),
            ("Of invoice", f"{note.invoice.number}, {day_in_words(note.invoice.issued_on)}"),
        ),
        sections=tuple(section for section in sections if section.rows),
        totals=tuple(_totals(note)),
    )


def _taxes(lines: list[CreditNoteLine]) -> list[RateTotal]:
    """What goes back at each rate, in the order of the lines."""
    totals: dict[uuid.UUID, RateTotal] = {}
    for part in lines:
        rate = part.line.tax_rate
        if rate is not None:
            before = totals.get(rate.id, RateTotal(rate, 0, 0))
            net, tax = before.net_minor + part.amount_minor - part.tax_minor, before.tax_minor + part.tax_minor
            totals[rate.id] = RateTotal(rate, net, tax)
    return list(totals.values())


def _totals(note: CreditNote) -> Iterator[tuple[str, str]]:
    for field, label in _PARTS:
        if amount := getattr(note, field):
            yield label, display(amount_minor=amount, currency=note.currency)
    yield "Credited in all", display(amount_minor=note.amount_minor, currency=note.currency)
