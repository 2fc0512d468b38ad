"""The first attempt to collect an invoice, when it is issued."""

import datetime
import uuid
from collections.abc import Sequence

from invoices.issuance import IssuedInvoice
from invoices.payment_application import note_first_paid
from payments.declines import note_unusable
from payments.models import Payment
from payments.submission import record_attempts


def submit_first_attempts(
    invoices: Sequence[IssuedInvoice], *, gateway: str, author: str, today: datetime.date, now: datetime.datetime
) -> list[uuid.UUID]:
    """Submit a payment for each invoice that was issued just now and is to be collected; their ids.

    What follows for the accounts is noted, unsaved: credit paid the invoice, or the payment method can't be used.
    """
    payments = record_attempts(
        invoices=[
            (invoice.account, invoice.id, invoice.to_collect_minor) for invoice in invoices if invoice.is_submitted
        ],
        cause=Payment.Cause.INVOICE,
        gateway=gateway,
        author=author,
        now=now,
    )
    for invoice in invoices:
        note_first_paid(invoice.account, invoice.amounts.status)
        if invoice.declined_on:
            note_unusable(invoice.account, today=today)
    return payments
