"""Collecting an invoice at once: because somebody asks for it, or the account has another payment method."""

import datetime
import uuid

from django.db import transaction

from accounts.errors import Conflict
from accounts.locked_accounts import lock_account
from invoices.locked_invoices import lock_invoice, open_invoices
from invoices.models import Invoice
from invoices.write_offs import check_not_in_flight
from payments.dunning import next_declined, submit_and_mark
from payments.gateways.configuration import configured_gateway_name
from payments.messages.dispatch import send_payments_when_committed
from payments.models import Payment


class UnableToCollect(Conflict):
    """Nothing of the invoice is to be collected at the gateway."""

    code = "unable-to-collect"


def pay_invoice(*, invoice_id: uuid.UUID, author: str, now: datetime.datetime) -> Payment:
    """Collect what is outstanding of an invoice at once: a new payment, SUBMITTED and sent when this is committed.

    An INACTIVE account's invoice may be collected, too, and so may one that is sent to the customer. Such an attempt
    never counts as a step of dunning. Raises `UnknownInvoice`, `UnableToCollect` and `PaymentInFlight`.
    """
    with transaction.atomic():
        account, invoice = lock_invoice(invoice_id)
        check_not_in_flight(invoice)
        if invoice.status != Invoice.Status.OPEN:
            raise UnableToCollect(f"The invoice {invoice.number} is {invoice.status}: nothing of it is outstanding.")
        if account.payment_method_unusable:
            raise UnableToCollect(
                "The account's payment method was declined for good, and isn't tried again. "
                "Set a payment method first: another one, or the same."
            )
        (payment_id,) = submit_and_mark(
            [(account, invoice)],
            cause=Payment.Cause.REQUEST,
            gateway=configured_gateway_name(),
            author=author,
            now=now,
        )
        send_payments_when_committed(payment_ids=[payment_id])
        return Payment.objects.get(id=payment_id)


def try_new_method(*, account_id: uuid.UUID, author: str, now: datetime.datetime) -> None:
    """Collect the oldest declined invoice of an account at once: it has another payment method.

    Sent when this is committed. Where nothing was declined, or a payment is in flight, there is nothing to do.
    """
    with transaction.atomic():
        account = lock_account(account_id)
        invoice = next_declined(open_invoices(accounts=[account])[account.id])
        if invoice is None:
            return
        payments = submit_and_mark(
            [(account, invoice)],
            cause=Payment.Cause.PAYMENT_METHOD,
            gateway=configured_gateway_name(),
            author=author,
            now=now,
        )
        send_payments_when_committed(payment_ids=payments)
