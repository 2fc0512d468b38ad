"""Resolving: a person has looked at the gateway's own records, and says what became of a payment."""

import datetime
import uuid

from django.db import transaction

from accounts.locks import lock_account
from accounts.refusals import Conflict, Invalid
from payments.gateways import LONGEST_REFERENCE, Declined, Outcome, Succeeded
from payments.models import Payment
from rebilling.reasons import checked_reason
from rebilling.retries import UnknownPayment
from rebilling.settling import settle

BY_PERSON = "resolved_by_person"
"""The decline code of a payment of which a person has found that no money was taken."""


class UnableToResolve(Conflict):
    """The outcome is known, or doesn't need a person, or the gateway is being asked this moment."""

    code = "unable-to-resolve"


class ReferenceMissing(Invalid):
    code = "reference-missing"


def resolve_payment(
    *,
    payment_id: uuid.UUID,
    taken: bool,
    reference: str,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> Payment:
    """Settle a payment that needs a person: the money was taken, under the gateway's `reference`, or it was not.

    What follows is what follows from the gateway's own answer; not taken, the charge is tried again as after a decline.
    The ledger's entry names the author. Raises `UnknownPayment`, `UnableToResolve`, `ReasonMissing` and
    `ReferenceMissing` (money that was taken has a reference at the gateway, which no other payment has).
    """
    reason = checked_reason(reason)
    reference = reference.strip()
    with transaction.atomic():
        found = Payment.objects.filter(id=payment_id).first()
        if found is None:
            raise UnknownPayment(f"There is no payment {payment_id}.")
        lock_account(found.account_id)
        payment = Payment.objects.select_for_update(no_key=True).get(id=payment_id)
        if payment.status not in Payment.IN_FLIGHT or not payment.needs_person:
            raise UnableToResolve(f"The payment is {payment.status} and doesn't need a person.")
        if payment.leased_until is not None and payment.leased_until > now:
            raise UnableToResolve("The gateway is being asked about it this moment: try again in some minutes.")
        outcome = _outcome(payment, taken=taken, reference=reference)
        (settled,) = settle(outcomes={payment.id: outcome}, as_of=today, author=author, now=now)
        if settled.status not in (Payment.Status.SUCCEEDED, Payment.Status.DECLINED):
            raise ReferenceMissing("Nothing was settled.", reference="Another payment has this reference.")
        return settled


def _outcome(payment: Payment, *, taken: bool, reference: str) -> Outcome:
    if not taken:
        return Declined(code=BY_PERSON)
    if not 1 <= len(reference) <= LONGEST_REFERENCE:
        raise ReferenceMissing("Nothing was settled.", reference=f"From 1 to {LONGEST_REFERENCE} characters.")
    return Succeeded(reference=reference, key=payment.id, amount_minor=payment.amount_minor, currency=payment.currency)
