"""Refund requests: a person has money of a payment sent back.

A refund is reserved here, under the account's lock. The worker sends it, and `rebilling/refund_outcomes.py` records
its outcome.
"""

import datetime
import uuid

from django.db import transaction
from django.db.models import Sum

from accounts.amounts import amount_error
from accounts.currencies import display
from accounts.errors import Conflict, Invalid, refined
from accounts.locks import lock_account
from accounts.reasons import checked_reason
from payments.models import OFFLINE, Payment, Refund
from rebilling.dunning import UnknownPayment
from rebilling.messages.dispatch import send_refund_when_committed
from rebilling.refund_outcomes import book

RESERVING = [Refund.Status.SUBMITTED, Refund.Status.UNKNOWN, Refund.Status.SUCCEEDED]
"""A refund in one of these states takes its amount from what is left of its payment; a FAILED one gives it back."""


class UnableToRefund(Invalid):
    """The request doesn't fit the payment, whatever the payment's state."""


class NothingToRefund(Conflict):
    """The payment took no money, or less than this is left of it."""

    code = "nothing-to-refund"


class NotYetRefundable(NothingToRefund):
    """The outcome of the payment isn't known yet, or that of a refund which may fail and leave more to refund."""

    passing = True


class AlreadyRequested(Conflict):
    code = "already-requested"


def request_refund(
    *,
    payment_id: uuid.UUID,
    amount_minor: int,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
    account_id: uuid.UUID | None = None,
    currency: str | None = None,
    request_key: str = "",
) -> Refund:
    """Reserve a refund, SUBMITTED, of `amount_minor` minor units; it is sent once the transaction is committed.

    An INACTIVE account's payment may be refunded, too. A payment received offline is refunded offline, by a person: its
    refund is SUCCEEDED at once. `account_id` and `currency`, if given, must be the payment's. Without a `request_key`
    each call is another refund. Raises `UnknownPayment`, `ReasonMissing`, `UnableToRefund`, `NothingToRefund`, and
    `AlreadyRequested` for a key that was used before.
    """
    reason = checked_reason(reason)
    used = AlreadyRequested("This refund was requested before.")
    with refined({"refund_requested_once": used}), transaction.atomic():
        found = Payment.objects.filter(id=payment_id).first()
        if found is None:
            raise UnknownPayment(f"There is no payment {payment_id}.")
        lock_account(found.account_id)
        payment = Payment.objects.get(id=payment_id)
        _check_request(payment, amount_minor=amount_minor, account_id=account_id, currency=currency)
        if request_key and payment.refunds.filter(request_key=request_key).exists():
            # Checked first: this request's own refund may be why too little is left.
            raise used
        check_left(payment, amount_minor=amount_minor)
        offline = payment.gateway == OFFLINE
        refund = Refund.objects.create(
            payment=payment,
            amount_minor=amount_minor,
            currency=payment.currency,
            status=Refund.Status.SUCCEEDED if offline else Refund.Status.SUBMITTED,
            reason=reason,
            gateway=payment.gateway,
            submitted_at=now,
            completed_at=now if offline else None,
            created_by=author,
            request_key=request_key,
        )
        if offline:
            book(refunds=[refund], as_of=today, now=now)
        else:
            send_refund_when_committed(refund_id=refund.id)
        return refund


def left_to_refund(payment: Payment) -> int:
    """What may still be refunded of the payment, in minor units. Reliable only while its account is locked."""
    if payment.status != Payment.Status.SUCCEEDED:
        return 0
    reserved = payment.refunds.filter(status__in=RESERVING).aggregate(amount=Sum("amount_minor", default=0))["amount"]
    return payment.amount_minor - int(reserved)


def _check_request(payment: Payment, *, amount_minor: int, account_id: uuid.UUID | None, currency: str | None) -> None:
    errors = {}
    if error := amount_error(amount_minor=amount_minor, currency=payment.currency):
        errors["amount_minor"] = error
    if account_id not in (None, payment.account_id):
        errors["account"] = "The payment belongs to another account."
    if currency not in (None, payment.currency):
        errors["currency"] = f"The payment is in {payment.currency}."
    if errors:
        raise UnableToRefund("Nothing was refunded.", **errors)


def check_left(payment: Payment, *, amount_minor: int) -> None:
    """Raise `NothingToRefund` if less than this is left of the payment, whose account the caller has locked."""
    if payment.status in Payment.IN_FLIGHT:
        raise NotYetRefundable(f"The payment is {payment.status}, not SUCCEEDED: wait until its outcome is known.")
    if payment.status != Payment.Status.SUCCEEDED:
        raise NothingToRefund(f"The payment is {payment.status}, not SUCCEEDED.")
    left = left_to_refund(payment)
    if amount_minor <= left:
        return
    message = f"Of this payment, {display(amount_minor=left, currency=payment.currency)} is left to refund"
    in_flight = payment.refunds.filter(status__in=Refund.IN_FLIGHT).aggregate(amount=Sum("amount_minor", default=0))
    if amount_minor <= left + int(in_flight["amount"]):
        raise NotYetRefundable(f"{message} until the outcome of another refund is known.")
    raise NothingToRefund(f"{message}.")
