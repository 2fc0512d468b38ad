"""Stripe's objects, read and checked: nothing that an answer lacks is guessed."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import stripe

from payments.gateways.port import Answer, Declined, PaymentRequest, RefundRequest, Succeeded, Unknown
from payments.gateways.stripe.amounts import UnableToExpress, from_stripe
from payments.gateways.stripe.declines import REFUND_CANT_ARRIVE, declined

PAYMENT, REFUND = "payment", "refund"
"""The names of our ids in Stripe's metadata."""
CANCELED = "canceled"
AUTHENTICATION_REQUIRED = "authentication_required"
NOT_AUTHENTICATED = frozenset({AUTHENTICATION_REQUIRED, "payment_intent_authentication_failure"})
"""The last errors of an intent that the customer may still authenticate, or try to again
(https://docs.stripe.com/error-codes)."""
MAX_REASON_LENGTH = 300


class UnreadableAnswer(Exception):
    """An answer that isn't what Stripe's reference describes; the text says what is wrong with it."""


def plain(answer: object) -> dict[str, object]:
    """A Stripe object as a dictionary. Raises UnreadableAnswer."""
    if not isinstance(answer, stripe.StripeObject):
        raise UnreadableAnswer(f"Stripe answered with a {type(answer).__name__}")
    return answer.to_dict()


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeRecord:
    """A payment intent or a refund at Stripe. `owner` is our id in its metadata, `amount` what was moved."""

    id: str
    status: str
    owner: str
    amount: int
    currency: str
    code: str = ""
    advice: str = ""
    client_secret: str = field(default="", repr=False)

    @property
    def waits_for_customer(self) -> bool:
        """Whether the customer could authenticate it, so that it succeeds."""
        unauthenticated = self.status == "requires_payment_method" and self.code in NOT_AUTHENTICATED
        return bool(self.client_secret) and (self.status == "requires_action" or unauthenticated)


def read_intent(data: Mapping[str, Any]) -> StripeRecord:
    """Raises UnreadableAnswer."""
    error = data.get("last_payment_error") or {}
    code, advice = decline_of(error) if isinstance(error, Mapping) else ("", "")
    record = _record(data, owner=PAYMENT, amount="amount_received", code=code, advice=advice)
    secret = data.get("client_secret")
    return replace(record, client_secret=secret) if isinstance(secret, str) else record


def read_refund(data: Mapping[str, Any]) -> StripeRecord:
    """Raises UnreadableAnswer."""
    reason = data.get("failure_reason")
    return _record(data, owner=REFUND, amount="amount", code=reason if isinstance(reason, str) else "", advice="")


def decline_of(error: Mapping[str, Any]) -> tuple[str, str]:
    """The most specific code of an error object, and the issuer's advice; empty where there is none."""
    code, advice = error.get("decline_code") or error.get("code"), error.get("advice_code")
    return (code if isinstance(code, str) else "", advice if isinstance(advice, str) else "")


def _record(data: Mapping[str, Any], *, owner: str, amount: str, code: str, advice: str) -> StripeRecord:
    moved = data.get(amount)
    if not isinstance(moved, int) or isinstance(moved, bool):
        raise UnreadableAnswer(f"Stripe's {amount} is a {type(moved).__name__}")
    return StripeRecord(
        id=text_of(data, "id"),
        status=text_of(data, "status"),
        owner=owner_of(data, owner),
        amount=moved,
        currency=text_of(data, "currency").upper(),
        code=code,
        advice=advice,
    )


def owner_of(data: Mapping[str, Any], name: str) -> str:
    """Our id in an object's metadata, or an empty string. Raises UnreadableAnswer."""
    metadata = data.get("metadata")
    if not isinstance(metadata, Mapping):
        raise UnreadableAnswer("Stripe gave no metadata")
    return str(metadata.get(name, ""))


def text_of(data: Mapping[str, Any], name: str) -> str:
    """A text of the object, which isn't empty. Raises UnreadableAnswer."""
    text = data.get(name)
    if not isinstance(text, str) or not text:
        raise UnreadableAnswer(f"Stripe gave no {name}")
    return text


def page_of(data: Mapping[str, object]) -> tuple[list[dict[str, Any]], bool]:
    """The objects of a list's page, and whether more follow. Raises UnreadableAnswer."""
    objects, more = data.get("data"), data.get("has_more")
    if data.get("object") != "list" or not isinstance(objects, list) or not isinstance(more, bool):
        raise UnreadableAnswer("Stripe answered with something that isn't a list")
    if not all(isinstance(found, dict) for found in objects) or (more and not objects):
        raise UnreadableAnswer("Stripe's list doesn't consist of objects")
    return objects, more


def moved(record: StripeRecord) -> Succeeded | Unknown:
    """The answer for an object that has succeeded."""
    try:
        owner = uuid.UUID(record.owner)
        amount_minor = from_stripe(amount=record.amount, currency=record.currency)
    except ValueError:
        return Unknown(f"{record.id} succeeded, but names none of our requests", needs_review=True, reference=record.id)
    except UnableToExpress as error:
        return Unknown(f"{record.id} succeeded, but {error}", needs_review=True, reference=record.id)
    return Succeeded(reference=record.id, key=owner, amount_minor=amount_minor, currency=record.currency)


def not_ours(record: StripeRecord, request: PaymentRequest | RefundRequest) -> Unknown | None:
    """Unknown where the object isn't our request's: then its status says nothing about our request."""
    if record.owner == str(request.key):
        return None
    return Unknown(f"Stripe answered with {record.id}, which is another request's", needs_review=True)


def outcome_of_intent(record: StripeRecord) -> Answer | None:
    """The answer that an intent's status means, or None while it could still move money: then it must be canceled.

    (https://docs.stripe.com/payments/paymentintents/lifecycle)
    """
    match record.status:
        case "succeeded":
            return moved(record)
        case "canceled":
            return declined(code=record.code or CANCELED, advice=record.advice)
        case "requires_payment_method" | "requires_action" | "requires_confirmation":
            return None
        case "requires_capture":
            # We never use manual capture. A person can still capture the money in Stripe's dashboard.
            return Unknown(f"{record.id} is authorized and was not captured", needs_review=True, reference=record.id)
    return Unknown(f"{record.id} is {record.status}", reference=record.id)


def outcome_of_refund(record: StripeRecord) -> Answer:
    """(https://docs.stripe.com/refunds#failed-refunds)"""
    if record.status == "succeeded":
        return moved(record)
    if record.status in {"failed", CANCELED}:
        return Declined(record.code or record.status, hard=record.code in REFUND_CANT_ARRIVE)
    return Unknown(f"{record.id} is {record.status}", reference=record.id)


def short(text: object) -> str:
    """A reason that people can read: one short line."""
    return " ".join(str(text).split())[:MAX_REASON_LENGTH]
