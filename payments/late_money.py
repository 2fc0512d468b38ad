"""Money that the gateway moved although its payment was DECLINED, or its refund FAILED. A person has found it in the
gateway's own records, and books it as another payment or refund; the refused one stays as it is.
"""

import datetime
import uuid

from django.db import transaction

from accounts.errors import refined
from accounts.reasons import checked_reason
from invoices.account_status import refresh_accounts
from invoices.locked_invoices import save_invoices
from invoices.payment_application import apply_payment
from ledger.balances import check_balance
from ledger.posting import post
from payments.declines import BY_PERSON
from payments.locked_attempts import lock_payment, lock_refund
from payments.models import Payment, Refund
from payments.payment_entries import payment_postings
from payments.refund_outcomes import book_refund
from payments.refund_requests import invoice_of, late_source
from payments.refund_reservations import reserve
from payments.reviews import UnableToResolve, checked_reference, reference_taken


def may_be_booked_late(payment: Payment) -> bool:
    """Whether the money of a DECLINED payment may have come after all, and isn't booked yet: the gateway said so later,
    the payment needs review for another reason, or a person, perhaps wrongly, found that none came.
    """
    is_doubtful = payment.needs_review or payment.decline_code == BY_PERSON
    return payment.status == Payment.Status.DECLINED and is_doubtful and not payment.booked_late_by.exists()


def book_late_payment(
    *, payment_id: uuid.UUID, reference: str, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Payment:
    """Book money that the gateway took although its payment is DECLINED: as another payment, SUCCEEDED; returns it.

    It pays what is outstanding of the invoice; what is more is credit, and can be refunded. The DECLINED one needs no
    review any more. The ledger's entries name the author. Raises `UnknownPayment`, `UnableToResolve`, `InvalidReason`,
    `ReferenceMissing` and `BalanceOutOfBounds`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account, declined = lock_payment(payment_id)
        if not may_be_booked_late(declined):
            raise UnableToResolve(
                f"The payment is {declined.status}, and no money of it was taken after all, or it was booked before."
            )
        invoice = invoice_of(account, declined)
        applied = apply_payment(account, invoice, amount_minor=declined.amount_minor)
        taken = Payment(
            account_id=account.id,
            invoice_id=declined.invoice_id,
            cause=Payment.Cause.REQUEST,
            customer=declined.customer,
            payment_method=declined.payment_method,
            amount_minor=declined.amount_minor,
            currency=declined.currency,
            status=Payment.Status.SUCCEEDED,
            excess_minor=applied.excess_minor,
            gateway=declined.gateway,
            gateway_reference=checked_reference(declined, reference.strip()),
            submitted_at=now,
            completed_at=now,
            created_by=author,
            late_for=declined,
        )
        with refined({"payment_reference_once": reference_taken(declined)}), transaction.atomic():
            taken.save(force_insert=True)
        postings = payment_postings(
            payment_id=taken.id,
            account=account,
            invoice=invoice,
            amount_minor=taken.amount_minor,
            recovered_minor=applied.recovered_minor,
            description=reason,
        )
        post(postings=postings, effective_on=today, author=author)
        check_balance(account)
        if invoice:
            save_invoices([invoice])
        refresh_accounts(accounts=[account], today=today, author=author, now=now, received=[account.id])
        Payment.objects.filter(id=declined.id).update(needs_review=False, resolution=reason, resolved_by=author)
        return taken


def book_late_refund(
    *, refund_id: uuid.UUID, reference: str, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Refund:
    """Book money that the gateway sent although its refund had FAILED: as another refund, SUCCEEDED; returns it.

    Where not so much is left to refund of the invoice any more (a credit note gave it to the balance meanwhile), it is
    from the account's balance, which may go below zero. The FAILED one stays as it is, and needs no review any more.
    The ledger's entries name the author. Raises `UnknownRefund`, `UnableToResolve`, `NothingToRefund` (another refund
    has sent the payment's money back), `InvalidReason` and `ReferenceMissing`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account, failed = lock_refund(refund_id)
        if failed.status != Refund.Status.FAILED or not failed.needs_review or failed.booked_late_by.exists():
            raise UnableToResolve(
                f"The refund is {failed.status}, and no money of it was sent after all, or it was booked before."
            )
        payment = failed.payment
        invoice = invoice_of(account, payment)
        source = late_source(account, payment, invoice, source=failed.source, amount_minor=failed.amount_minor)
        sent = Refund(
            account_id=account.id,
            payment=payment,
            source=source,
            amount_minor=failed.amount_minor,
            currency=failed.currency,
            status=Refund.Status.SUCCEEDED,
            reason=reason,
            gateway=failed.gateway,
            gateway_reference=checked_reference(failed, reference.strip()),
            submitted_at=failed.submitted_at,
            completed_at=now,
            created_by=author,
            late_for=failed,
        )
        with refined({"refund_reference_once": reference_taken(failed)}), transaction.atomic():
            sent.save(force_insert=True)
        reserve(account, invoice, source=source, amount_minor=failed.amount_minor)
        if invoice:
            save_invoices([invoice])
        book_refund(sent, account=account, today=today, now=now, author=author)
        Refund.objects.filter(id=failed.id).update(needs_review=False, resolution=reason, resolved_by=author)
        return sent
