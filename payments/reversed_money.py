"""Money that was taken back: a dispute or a bank debit returned, or a refund that didn't arrive. A person records
it.
"""

import datetime
import uuid

from django.db import transaction

from accounts.errors import Conflict
from accounts.reasons import checked_reason
from invoices.account_status import refresh_accounts
from invoices.locked_invoices import save_invoices
from invoices.models import Invoice
from ledger.models import Entry, EntryType
from ledger.posting import Posting, post
from payments.locked_attempts import lock_payment, lock_refund
from payments.models import Payment, Refund
from payments.refund_requests import invoice_of, total_of, was_reversed


class UnableToRecordReversal(Conflict):
    """The money wasn't moved, or its reversal was recorded before."""

    code = "unable-to-record-reversal"


class NotYetReversible(UnableToRecordReversal):
    """A refund of the payment is in flight: what is left of it isn't known."""

    passing = True


def record_reversed_payment(
    *, payment_id: uuid.UUID, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Entry:
    """Record that a payment's money was taken back, except for what was refunded of it: its invoice is OPEN again, and
    credit that it gave is gone.

    Raises `UnknownPayment`, `UnableToRecordReversal`, `NotYetReversible` and `InvalidReason`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account, payment = lock_payment(payment_id)
        if payment.status != Payment.Status.SUCCEEDED:
            raise UnableToRecordReversal(f"The payment is {payment.status}: no money of it came.")
        if was_reversed(payment):
            raise UnableToRecordReversal("This was already recorded.")
        if payment.refunds.filter(status__in=Refund.IN_FLIGHT).exists():
            raise NotYetReversible("A refund of this payment is in flight: wait until its outcome is known.")
        amount_minor = payment.amount_minor - payment.refunded_minor
        if not amount_minor:
            raise UnableToRecordReversal("All of this payment was refunded: nothing is left that could be taken back.")
        invoice = invoice_of(account, payment)
        of_its_invoice = payment.refunds.filter(status=Refund.Status.SUCCEEDED, source=Refund.Source.PAYMENT)
        owed_again = payment.applied_minor - total_of(of_its_invoice)
        if invoice and owed_again:
            if invoice.status != Invoice.Status.OPEN:
                # Owed again, it begins without a decline: whether to collect it again is a person's decision.
                invoice.declined_on = None
            invoice.change(paid=-owed_again)
            save_invoices([invoice])
        # What was credit, less what was paid out of the balance.
        account.credit_balance_minor -= amount_minor - owed_again
        posting = Posting(
            type=EntryType.PAYMENT_REVERSED,
            account_id=account.id,
            amount_minor=amount_minor,
            currency=account.currency,
            description=reason,
            idempotency_key=f"payment_reversed:{payment.id}",
            invoice_id=invoice.id if invoice else None,
            payment_id=payment.id,
        )
        (entry_id,) = post(postings=[posting], effective_on=today, author=author)
        refresh_accounts(accounts=[account], today=today, author=author, now=now)
        return Entry.objects.get(id=entry_id)


def came_back(refund: Refund) -> bool:
    """Whether it was recorded that the refund's money came back."""
    return Entry.objects.filter(type=EntryType.REFUND_REVERSED, refund_id=refund.id).exists()


def record_reversed_refund(
    *, refund_id: uuid.UUID, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Entry:
    """Record that a refund's money came back: it is the account's credit. Raises `UnknownRefund`,
    `UnableToRecordReversal` and `InvalidReason`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account, refund = lock_refund(refund_id)
        if refund.status != Refund.Status.SUCCEEDED:
            raise UnableToRecordReversal(f"The refund is {refund.status}: no money of it was sent.")
        if came_back(refund):
            raise UnableToRecordReversal("This was already recorded.")
        posting = Posting(
            type=EntryType.REFUND_REVERSED,
            account_id=account.id,
            amount_minor=refund.amount_minor,
            currency=account.currency,
            description=reason,
            idempotency_key=f"refund_reversed:{refund.id}",
            refund_id=refund.id,
        )
        (entry_id,) = post(postings=[posting], effective_on=today, author=author)
        account.credit_balance_minor += refund.amount_minor
        refresh_accounts(accounts=[account], today=today, author=author, now=now)
        return Entry.objects.get(id=entry_id)
