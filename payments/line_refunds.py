"""Refunding what was paid for one line of an invoice: refunds of its payments, the newest first.

Each refund is reserved, sent and booked as every other (`payments/refund_requests.py`). What isn't left of a payment,
and offline money, which only a person can send, is the caller's to credit.
"""

import datetime
import uuid

from accounts.locked_accounts import LockedAccount
from invoices.locked_invoices import LockedInvoice, save_invoices
from payments.messages.dispatch import send_refund_when_committed
from payments.models import OFFLINE, Payment, Refund
from payments.refund_requests import left_of_payment, left_under_lock
from payments.refund_reservations import reserve_refund


def refund_line(
    account: LockedAccount,
    invoice: LockedInvoice,
    *,
    line_id: uuid.UUID,
    amount_minor: int,
    reason: str,
    author: str,
    now: datetime.datetime,
) -> int:
    """Reserve refunds of up to `amount_minor` minor units of what was paid at a gateway for the invoice of this line;
    they are sent once the transaction is committed. Returns what they come to.
    """
    paid = Payment.objects.filter(invoice_id=invoice.id, status=Payment.Status.SUCCEEDED).exclude(gateway=OFFLINE)
    left = amount_minor
    for payment in paid.order_by("-id").select_for_update(no_key=True):
        source = Refund.Source.PAYMENT.value
        amount = min(left, left_under_lock(account, payment, invoice, left_of_payment(payment), source=source))
        if not amount:
            continue
        refund = reserve_refund(
            account,
            payment,
            invoice,
            source=source,
            amount_minor=amount,
            reason=reason,
            author=author,
            now=now,
            line_id=line_id,
        )
        send_refund_when_committed(refund_id=refund.id)
        left -= amount
    if left < amount_minor:
        save_invoices([invoice])
    return amount_minor - left
