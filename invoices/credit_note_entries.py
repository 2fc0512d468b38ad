"""What credit notes are booked as: for each line, what goes back of its price and of its tax."""

import uuid
from collections.abc import Mapping

from accounts.models import TaxRate
from invoices.credit_note_shares import LineCredit
from invoices.models import CreditNote, InvoiceLine
from ledger.models import EntryType
from ledger.posting import Posting

_OF_PRICES = (EntryType.CREDIT_NOTE, EntryType.DEDUCTION_REVERSED)
_OF_TAXES = (EntryType.TAX_CREDIT, EntryType.TAX_DEDUCTION_REVERSED)


def entries_of(
    note: CreditNote, credits: Mapping[InvoiceLine, LineCredit], tax_rates: Mapping[uuid.UUID, TaxRate]
) -> list[Posting]:
    """Entries for the credit of each line and for the tax in it, the other way round for a deduction. What was written
    off is recovered, since it isn't owed any more. `tax_rates` are those of the lines that have a tax.
    """
    postings = [
        _posting(note, line, _OF_PRICES, credit.amount_minor - credit.tax_minor, line.description)
        for line, credit in credits.items()
        if credit.amount_minor != credit.tax_minor
    ]
    postings += [
        _posting(note, line, _OF_TAXES, credit.tax_minor, f"{tax_rates[line.tax_rate_id]}: {line.description}")
        for line, credit in credits.items()
        if credit.tax_minor and line.tax_rate_id
    ]
    if note.from_written_off_minor:
        recovery = Posting(
            type=EntryType.RECOVERY,
            account_id=note.account_id,
            amount_minor=note.from_written_off_minor,
            currency=note.currency,
            description=f"Credit note {note.number}",
            idempotency_key=f"recovery:credit_note:{note.id}",
            invoice_id=note.invoice_id,
            author=note.created_by,
        )
        postings.append(recovery)
    return postings


def _posting(
    note: CreditNote, line: InvoiceLine, types: tuple[EntryType, EntryType], amount_minor: int, description: str
) -> Posting:
    """Of the first type, or below zero of the second."""
    of_credit, of_deduction = types
    type_ = of_deduction if amount_minor < 0 else of_credit
    return Posting(
        type=type_,
        account_id=note.account_id,
        amount_minor=abs(amount_minor),
        currency=note.currency,
        description=f"Credit note {note.number}: {description}"[:500],
        idempotency_key=f"{type_.value}:{note.id}:{line.position}",
        period_start=line.period_start,
        period_end=line.period_end,
        invoice_id=note.invoice_id,
        author=note.created_by,
    )
