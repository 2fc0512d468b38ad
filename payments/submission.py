"""Submission: an attempt to collect is recorded before the gateway is called."""

import datetime
import uuid

from accounts.models import Account
from payments.models import Payment


def new_payment(
    *, account: Account, charge_id: uuid.UUID | None, amount_minor: int, gateway: str, now: datetime.datetime
) -> Payment:
    """A payment SUBMITTED, unsaved, of the account's customer and payment method as they are now.

    The payment keeps these: submitted again under its key, or looked up, the request is what it was at first, whatever
    the account's customer and payment method are by then.
    """
    return Payment(
        account=account,
        charge_id=charge_id,
        amount_minor=amount_minor,
        currency=account.currency,
        customer=account.payment_customer,
        payment_method=account.payment_method,
        status=Payment.Status.SUBMITTED,
        gateway=gateway,
        submitted_at=now,
    )
