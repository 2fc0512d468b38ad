"""What credit notes are booked as: for each line, what goes back of its price and of its tax."""

from collections.abc import Mapping

from invoices.credit_note_shares import LineCredit
from invoices.models import CreditNote, InvoiceLine
from ledger.models import EntryType
from ledger.posting import Posting


def entries_of(note: CreditNote, credits: Mapping[InvoiceLine, LineCredit]) -> list[Posting]:
    """Entries for the credit of each line and for the tax in it, the other way round for a deduction. What was written
    off is recovered, since it isn't owed any more.
    """
    postings = [
        *(
            _posting(
                note, line, EntryType.CREDIT_NOTE, EntryType.DEDUCTION_REVERSED, credit.amount_minor - credit.tax_minor
            )
            for line, credit in credits.items()
        ),
        *(
            _posting(note, line, EntryType.TAX_CREDIT, EntryType.TAX_DEDUCTION_REVERSED, credit.tax_minor)
            for line, credit in credits.items()
        ),
    ]
    postings = [posting for posting in postings if posting.amount_minor]
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
    note: CreditNote, line: InvoiceLine, kind: EntryType, kind_below_zero: EntryType, amount_minor: int
) -> Posting:
    type_ = kind if amount_minor > 0 else kind_below_zero
    return Posting(
        type=type_,
        account_id=note.account_id,
        amount_minor=abs(amount_minor),
        currency=note.currency,
        description=f"Credit note {note.number}: {line.description}"[:500],
        idempotency_key=f"{type_.value}:{note.id}:{line.position}",
        period_start=line.period_start,
        period_end=line.period_end,
        invoice_id=note.invoice_id,
        author=note.created_by,
    )
