"""Resolving: a person has looked at the gateway's own records, and says what became of a payment or a refund."""

import datetime
import uuid
from typing import TypeVar

from django.db import transaction

from accounts.locks import lock_account
from accounts.refusals import Conflict, Invalid, Missing, refined
from accounts.text import text_error
from payments.gateways import LONGEST_REFERENCE, Declined, Outcome, Succeeded
from payments.models import Payment, Refund
from rebilling.booking_refunds import book, settle_refunds
from rebilling.reasons import checked_reason
from rebilling.refunding import check_left
from rebilling.retries import UnknownPayment
from rebilling.settling import settle

Row = TypeVar("Row", Payment, Refund)

BY_PERSON = "resolved_by_person"
"""The code of what a person has found to have moved no money."""


class UnknownRefund(Missing):
    code = "unknown-refund"


class UnableToResolve(Conflict):
    """The outcome is known, or doesn't need a person, or the gateway is being asked this moment."""

    code = "unable-to-resolve"


class NotYetResolvable(UnableToResolve):
    """Somebody else is about to learn the outcome."""

    passing = True


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
        # The row, too: a lease is taken without the account's lock.
        payment = Payment.objects.select_for_update(no_key=True).get(id=payment_id)
        _check_waits(payment, now)
        outcome = _outcome(payment, moved=taken, reference=reference)
        ((settled, _),) = settle(outcomes={payment.id: outcome}, as_of=today, author=author, now=now)
        return _known(settled)


def resolve_refund(
    *,
    refund_id: uuid.UUID,
    sent: bool,
    reference: str,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> Refund:
    """Settle a refund that needs a person: the money was sent, under the gateway's `reference`, or it was not.

    What follows is what follows from the gateway's own answer; not sent, it is left to be refunded again. The ledger's
    entries name the author. Raises `UnknownRefund`, `UnableToResolve`, `ReasonMissing` and `ReferenceMissing` (money
    that was sent has a reference at the gateway, which no other refund has).
    """
    reason = checked_reason(reason)
    reference = reference.strip()
    with transaction.atomic():
        found = Refund.objects.filter(id=refund_id).select_related("payment").first()
        if found is None:
            raise UnknownRefund(f"There is no refund {refund_id}.")
        lock_account(found.payment.account_id)
        refund = Refund.objects.select_for_update(no_key=True).get(id=refund_id)
        _check_waits(refund, now)
        outcome = _outcome(refund, moved=sent, reference=reference)
        ((settled, _),) = settle_refunds(outcomes={refund.id: outcome}, as_of=today, author=author, now=now)
        return _known(settled)


def book_late_refund(
    *, refund_id: uuid.UUID, reference: str, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Refund:
    """Book money that the gateway sent although its refund had FAILED: as a refund of its own, SUCCEEDED; returns it.

    The FAILED one stays as it is, and needs nobody any more. The ledger's entries name the author. Raises
    `UnknownRefund`, `UnableToResolve`, `NothingToRefund` (so much isn't left of the payment, since it was sent back by
    another refund), `ReasonMissing` and `ReferenceMissing`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        found = Refund.objects.filter(id=refund_id).select_related("payment").first()
        if found is None:
            raise UnknownRefund(f"There is no refund {refund_id}.")
        lock_account(found.payment.account_id)
        failed = Refund.objects.select_for_update(no_key=True).get(id=refund_id)
        if failed.status != Refund.Status.FAILED or not failed.needs_person:
            raise UnableToResolve(f"The refund is {failed.status}, and no money of it was sent after all.")
        check_left(found.payment, amount_minor=failed.amount_minor)
        sent = Refund(
            payment=found.payment,
            amount_minor=failed.amount_minor,
            currency=failed.currency,
            status=Refund.Status.SUCCEEDED,
            reason=reason,
            gateway=failed.gateway,
            gateway_reference=_checked_reference(failed, reference.strip()),
            submitted_at=failed.submitted_at,
            settled_at=now,
            created_by=author,
        )
        with refined({"refund_reference_once": _anothers(failed)}), transaction.atomic():
            sent.save(force_insert=True)
        book(refunds=[sent], as_of=today, now=now)
        Refund.objects.filter(id=failed.id).update(needs_person=False)
        return sent


def put_right(*, row: Payment | Refund, reason: str) -> None:
    """Say of one that is settled, and of which the gateway moved the money after all, that a person has put it right.

    What they did is in the ledger, or at the gateway; here only the mark goes. Raises `ReasonMissing` and
    `UnableToResolve`.
    """
    checked_reason(reason)
    waiting = type(row)._default_manager.filter(id=row.id, needs_person=True)
    if not waiting.exclude(status__in=Payment.IN_FLIGHT).update(needs_person=False):
        raise UnableToResolve(f"The {row._meta.model_name} is {row.status} and has nothing to be put right.")


def _check_waits(row: Payment | Refund, now: datetime.datetime) -> None:
    if row.status not in Payment.IN_FLIGHT or not row.needs_person:
        raise UnableToResolve(f"The {row._meta.model_name} is {row.status} and doesn't need a person.")
    if row.leased_until is not None and row.leased_until > now:
        raise NotYetResolvable("The gateway is being asked about it this moment: try again in some minutes.")


def _outcome(row: Payment | Refund, *, moved: bool, reference: str) -> Outcome:
    if not moved:
        return Declined(code=BY_PERSON)
    return Succeeded(
        reference=_checked_reference(row, reference),
        key=row.id,
        amount_minor=row.amount_minor,
        currency=row.currency,
    )


def _checked_reference(row: Payment | Refund, reference: str) -> str:
    if not 1 <= len(reference) <= LONGEST_REFERENCE:
        raise ReferenceMissing("Nothing was settled.", reference=f"From 1 to {LONGEST_REFERENCE} characters.")
    if error := text_error(reference):
        raise ReferenceMissing("Nothing was settled.", reference=error)
    # Known before, so that no error is logged of what is then undone.
    booked = type(row)._default_manager.filter(gateway=row.gateway, gateway_reference=reference, status="SUCCEEDED")
    if booked.exists():
        raise _anothers(row)
    return reference


def _known(row: Row) -> Row:
    """The row as it was settled. It wasn't, where somebody else booked the same reference this moment."""
    if row.status in Payment.IN_FLIGHT:
        raise UnableToResolve(f"Nothing was settled: {row.needs_person_reason}.")
    return row


def _anothers(row: Payment | Refund) -> ReferenceMissing:
    return ReferenceMissing("Nothing was settled.", reference=f"Another {row._meta.model_name} has this reference.")
