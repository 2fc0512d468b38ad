"""Write-offs: what is outstanding of an invoice is given up. `invoices/credits.py` takes one back."""

import datetime
import uuid

from django.db import transaction

from accounts.errors import Conflict
from accounts.ids import new_id
from accounts.locked_accounts import LockedAccount
from accounts.reasons import checked_reason
from invoices.account_status import refresh_accounts
from invoices.locked_invoices import LockedInvoice, lock_invoice, save_invoices
from ledger.models import Entry, EntryType
from ledger.posting import Posting, post


class UnableToWriteOff(Conflict):
    """Nothing is outstanding."""

    code = "unable-to-write-off"


class PaymentInFlight(Conflict):
    """A payment of the invoice is at the gateway: its outcome comes first."""

    code = "payment-in-flight"
    passing = True


def check_not_in_flight(invoice: LockedInvoice) -> None:
    """Raises `PaymentInFlight`."""
    if invoice.in_flight:
        raise PaymentInFlight(
            f"A payment of the invoice {invoice.number} is at the gateway: wait until its outcome is known."
        )


def write_off_invoice(
    *, invoice_id: uuid.UUID, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Entry:
    """Give up what is outstanding of an invoice: it is UNCOLLECTIBLE, and nothing tries again to collect it.

    Money that comes later is a recovery. Returns the ledger entry. Raises `UnknownInvoice`, `UnableToWriteOff`,
    `PaymentInFlight` and `InvalidReason`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account, invoice = lock_invoice(invoice_id)
        check_not_in_flight(invoice)
        amount_minor = invoice.amounts.outstanding
        if not amount_minor:
            raise UnableToWriteOff(f"The invoice {invoice.number} is {invoice.status}: there is nothing to write off.")
        posting = write_off_posting(account, amount_minor=amount_minor, description=reason, invoice_id=invoice.id)
        (entry_id,) = post(postings=[posting], effective_on=today, author=author)
        invoice.change(written_off=amount_minor)
        save_invoices([invoice])
        refresh_accounts(accounts=[account], today=today, author=author, now=now)
        return Entry.objects.get(id=entry_id)


def write_off_posting(
    account: LockedAccount, *, amount_minor: int, description: str, invoice_id: uuid.UUID | None = None
) -> Posting:
    """The entry of a write-off of an invoice, or of what the account owes beside its invoices; in minor units."""
    entry_id = new_id()
    return Posting(
        id=entry_id,
        type=EntryType.WRITE_OFF,
        account_id=account.id,
        amount_minor=amount_minor,
        currency=account.currency,
        description=description,
        idempotency_key=f"write_off:{entry_id}",
        invoice_id=invoice_id,
    )
