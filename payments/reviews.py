"""Reviews: a person has checked the gateway's own records, and resolves what became of a payment or a refund."""

import datetime
import uuid

from django.db import transaction

from accounts.errors import Conflict, Invalid
from accounts.reasons import checked_reason
from accounts.text import text_error
from payments.declines import BY_PERSON
from payments.gateways.port import Declined, Outcome, Succeeded
from payments.gateways.texts import MAX_REFERENCE_LENGTH
from payments.locked_attempts import lock_payment, lock_refund
from payments.messages.dispatch import send_payments_when_committed
from payments.models import GatewayAttempt, Payment, Refund
from payments.payment_outcomes import record_payment_outcomes
from payments.refund_outcomes import record_refund_outcomes


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

    The same follows as from the gateway's own answer; if it was not taken, that is no decline, and what is outstanding
    of the invoice is submitted anew. The payment and the ledger's entry name the author. Raises `UnknownPayment`,
    `UnableToResolve`, `InvalidReason` and `ReferenceMissing` (money that was taken has a reference at the gateway,
    which no other payment has).
    """
    reason = checked_reason(reason)
    reference = reference.strip()
    with transaction.atomic():
        _, payment = lock_payment(payment_id)
        _check_waits(payment, now)
        outcome = _outcome(payment, moved=taken, reference=reference)
        recorded = record_payment_outcomes(outcomes={payment.id: outcome}, today=today, author=author, now=now)
        payment.refresh_from_db()
        _check_recorded(payment)
        _note_resolution(payment, reason=reason, author=author)
        send_payments_when_committed(payment_ids=recorded.submitted)
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
    entries name the author. Raises `UnknownRefund`, `UnableToResolve`, `InvalidReason` and `ReferenceMissing` (money
    that was sent has a reference at the gateway, which no other refund has).
    """
    reason = checked_reason(reason)
    reference = reference.strip()
    with transaction.atomic():
        _, refund = lock_refund(refund_id)
        _check_waits(refund, now)
        outcome = _outcome(refund, moved=sent, reference=reference)
        record_refund_outcomes(outcomes={refund.id: outcome}, today=today, author=author, now=now)
        refund.refresh_from_db()
        _check_recorded(refund)
        _note_resolution(refund, reason=reason, author=author)
        return refund


def mark_resolved(*, row: GatewayAttempt, reason: str, author: str) -> None:
    """Mark as resolved a refused payment or refund that needs review: its money was moved after all, or the fault is
    ours.

    What the person did about it is in the ledger or at the gateway; here the mark is removed, and the row says why and
    by whom. Raises `InvalidReason` and `UnableToResolve`.
    """
    reason = checked_reason(reason)
    waiting = type(row)._default_manager.filter(id=row.id, needs_review=True).exclude(status__in=row.IN_FLIGHT)
    if not waiting.update(needs_review=False, resolution=reason, resolved_by=author):
        raise UnableToResolve(f"The {row.NOUN} is {row.status} and has nothing to be marked as resolved.")


def _check_waits(row: GatewayAttempt, now: datetime.datetime) -> None:
    if not row.awaits_review:
        raise UnableToResolve(f"The {row.NOUN} is {row.status} and doesn't need review.")
    if row.leased_until is not None and row.leased_until > now:
        raise NotYetResolvable("The gateway is being called for it at this moment: try again in a few minutes.")


def _note_resolution(row: GatewayAttempt, *, reason: str, author: str) -> None:
    row.resolution, row.resolved_by = reason, author
    row.save(update_fields=["resolution", "resolved_by"])


def _outcome(row: GatewayAttempt, *, moved: bool, reference: str) -> Outcome:
    if not moved:
        return Declined(code=BY_PERSON)
    return Succeeded(
        reference=checked_reference(row, reference),
        key=row.id,
        amount_minor=row.amount_minor,
        currency=row.currency,
    )


def checked_reference(row: GatewayAttempt, reference: str) -> str:
    """The reference at the row's gateway. Raises `ReferenceMissing` where it can't be one, or is another row's."""
    if not 1 <= len(reference) <= MAX_REFERENCE_LENGTH:
        raise ReferenceMissing("Nothing was recorded.", reference=f"From 1 to {MAX_REFERENCE_LENGTH} characters.")
    if error := text_error(reference):
        raise ReferenceMissing("Nothing was recorded.", reference=error)
    # Checked first, so that no error is logged for what is then rolled back.
    booked = type(row)._default_manager.filter(gateway=row.gateway, gateway_reference=reference, status=row.SUCCEEDED)
    if booked.exists():
        raise reference_taken(row)
    return reference


def _check_recorded(row: GatewayAttempt) -> None:
    """The outcome isn't recorded where somebody else booked the same reference at this moment."""
    if row.status in row.IN_FLIGHT:
        raise UnableToResolve(f"Nothing was recorded: {row.review_reason}.")


def reference_taken(row: GatewayAttempt) -> ReferenceMissing:
    """What is raised where another row of the kind was booked with the reference."""
    return ReferenceMissing("Nothing was recorded.", reference=f"Another {row.NOUN} has this reference.")
