"""Reviews: a person has checked the gateway's own records, and resolves what became of a payment or a refund."""

import datetime
import uuid

from django.db import transaction

from accounts.errors import Conflict, Invalid, Missing, refined
from accounts.locks import lock_account
from accounts.reasons import checked_reason
from accounts.text import text_error
from payments.gateways.port import MAX_REFERENCE_LENGTH, Declined, Outcome, Succeeded
from payments.models import GatewayAttempt, Payment, Refund
from rebilling.dunning import UnknownPayment
from rebilling.payment_outcomes import record_payment_outcomes
from rebilling.refund_outcomes import book, record_refund_outcomes
from rebilling.refund_requests import check_left

BY_PERSON = "resolved_by_person"
"""The code where a person found that no money was moved."""


class UnknownRefund(Missing):
    code = "unknown-refund"


class UnableToResolve(Conflict):
    """The outcome is known, or the row doesn't need review, or the gateway is being called for it now."""

    code = "unable-to-resolve"


class NotYetResolvable(UnableToResolve):
    """A worker is about to learn the outcome."""

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
    """Resolve a payment that needs review: the money was taken, under the gateway's `reference`, or it was not.

    The same follows as from the gateway's own answer; if it was not taken, the charge is retried as after a decline.
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
        ((payment, _),) = record_payment_outcomes(outcomes={payment.id: outcome}, as_of=today, author=author, now=now)
        _check_recorded(payment)
        return payment


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
    """Resolve a refund that needs review: the money was sent, under the gateway's `reference`, or it was not.

    The same follows as from the gateway's own answer; if it was not sent, it can be refunded again. The ledger's
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
        ((refund, _),) = record_refund_outcomes(outcomes={refund.id: outcome}, as_of=today, author=author, now=now)
        _check_recorded(refund)
        return refund


def book_late_refund(
    *, refund_id: uuid.UUID, reference: str, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Refund:
    """Book money that the gateway sent although its refund had FAILED: as another refund, SUCCEEDED; returns it.

    The FAILED one stays as it is, and needs no review any more. The ledger's entries name the author. Raises
    `UnknownRefund`, `UnableToResolve`, `NothingToRefund` (not enough is left of the payment, since another refund
    sent it back), `ReasonMissing` and `ReferenceMissing`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        found = Refund.objects.filter(id=refund_id).select_related("payment").first()
        if found is None:
            raise UnknownRefund(f"There is no refund {refund_id}.")
        lock_account(found.payment.account_id)
        failed = Refund.objects.select_for_update(no_key=True).get(id=refund_id)
        if failed.status != Refund.Status.FAILED or not failed.needs_review:
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
            completed_at=now,
            created_by=author,
        )
        with refined({"refund_reference_once": _reference_taken(failed)}), transaction.atomic():
            sent.save(force_insert=True)
        book(refunds=[sent], as_of=today, now=now)
        Refund.objects.filter(id=failed.id).update(needs_review=False)
        return sent


def mark_resolved(*, row: GatewayAttempt, reason: str) -> None:
    """Mark as resolved a refused payment or refund whose money the gateway moved after all.

    What the person did about it is in the ledger or at the gateway; only the mark is removed here. Raises
    `ReasonMissing` and `UnableToResolve`.
    """
    checked_reason(reason)
    waiting = type(row)._default_manager.filter(id=row.id, needs_review=True)
    if not waiting.exclude(status__in=row.IN_FLIGHT).update(needs_review=False):
        raise UnableToResolve(f"The {row.NOUN} is {row.status} and has nothing to be marked as resolved.")


def _check_waits(row: GatewayAttempt, now: datetime.datetime) -> None:
    if row.status not in row.IN_FLIGHT or not row.needs_review:
        raise UnableToResolve(f"The {row.NOUN} is {row.status} and doesn't need review.")
    if row.leased_until is not None and row.leased_until > now:
        raise NotYetResolvable("The gateway is being called for it at this moment: try again in a few minutes.")


def _outcome(row: GatewayAttempt, *, moved: bool, reference: str) -> Outcome:
    if not moved:
        return Declined(code=BY_PERSON)
    return Succeeded(
        reference=_checked_reference(row, reference),
        key=row.id,
        amount_minor=row.amount_minor,
        currency=row.currency,
    )


def _checked_reference(row: GatewayAttempt, reference: str) -> str:
    if not 1 <= len(reference) <= MAX_REFERENCE_LENGTH:
        raise ReferenceMissing("Nothing was recorded.", reference=f"From 1 to {MAX_REFERENCE_LENGTH} characters.")
    if error := text_error(reference):
        raise ReferenceMissing("Nothing was recorded.", reference=error)
    # Checked first, so that no error is logged for what is then rolled back.
    booked = type(row)._default_manager.filter(gateway=row.gateway, gateway_reference=reference, status=row.SUCCEEDED)
    if booked.exists():
        raise _reference_taken(row)
    return reference


def _check_recorded(row: GatewayAttempt) -> None:
    """The outcome isn't recorded where somebody else booked the same reference at this moment."""
    if row.status in row.IN_FLIGHT:
        raise UnableToResolve(f"Nothing was recorded: {row.review_reason}.")


def _reference_taken(row: GatewayAttempt) -> ReferenceMissing:
    return ReferenceMissing("Nothing was recorded.", reference=f"Another {row.NOUN} has this reference.")
