"""The ledger entries of money that came for an invoice, or for none."""

import uuid
from collections.abc import Sequence

from accounts.locked_accounts import LockedAccount
from invoices.locked_invoices import LockedInvoice
from ledger.models import EntryType
from ledger.posting import Posting


def payment_postings(
    *,
    payment_id: uuid.UUID,
    account: LockedAccount,
    invoice: LockedInvoice | None,
    amount_minor: int,
    recovered_minor: int,
    description: str,
) -> Sequence[Posting]:
    """The entries of money that came: a payment, and a recovery for what of it had been written off."""
    invoice_id = invoice.id if invoice else None
    payment = Posting(
        type=EntryType.PAYMENT,
        account_id=account.id,
        amount_minor=amount_minor,
        currency=account.currency,
        description=description,
        idempotency_key=f"payment:{payment_id}",
        invoice_id=invoice_id,
        payment_id=payment_id,
    )
    if not recovered_minor:
        return [payment]
    recovery = Posting(
        type=EntryType.RECOVERY,
        account_id=account.id,
        amount_minor=recovered_minor,
        currency=account.currency,
        description=f"Recovered of what was written off: {description}"[:500],
        idempotency_key=f"recovery:payment:{payment_id}",
        invoice_id=invoice_id,
    )
    return [payment, recovery]
