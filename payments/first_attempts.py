"""The first attempt to collect an invoice, when it is issued."""

import datetime
from collections.abc import Sequence

from invoices.issuance import IssuedInvoice
from invoices.payment_application import note_first_paid
from payments.declines import note_unusable
from payments.gateways.port import PaymentRequest
from payments.models import Payment
from payments.submission import description_of, record_attempts


def submit_first_attempts(
    invoices: Sequence[IssuedInvoice],
    *,
    gateway: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
    leased_until: datetime.datetime | None = None,
) -> list[PaymentRequest]:
    """Submit a payment for each invoice that was issued just now and is to be collected; what the gateway is to be
    called with. Leased until then, they are the caller's to call for (`payments.leases.submitted_under_lease`).

    What follows for the accounts is noted, unsaved: credit paid the invoice, or the payment method can't be used.
    """
    submitted = [invoice for invoice in invoices if invoice.is_submitted]
    ids = record_attempts(
        invoices=[(invoice.account, invoice.id, invoice.to_collect_minor) for invoice in submitted],
        cause=Payment.Cause.INVOICE,
        gateway=gateway,
        author=author,
        now=now,
        leased_until=leased_until,
    )
    for invoice in invoices:
        note_first_paid(invoice.account, invoice.amounts.status)
        if invoice.declined_on:
            note_unusable(invoice.account, today=today)
    return [
        PaymentRequest(
            payment_id=id_,
            amount_minor=invoice.to_collect_minor,
            currency=invoice.account.currency,
            customer=invoice.account.payment_customer,
            payment_method=invoice.account.payment_method,
            description=description_of(invoice.number),
            submitted_at=now,
        )
        for id_, invoice in zip(ids, submitted, strict=True)
    ]
