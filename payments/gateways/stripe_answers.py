"""What Stripe's objects say, checked: nothing that an answer lacks is guessed."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import stripe

from payments.gateways import Answer, Declined, PaymentRequest, RefundRequest, Succeeded, Unknown
from payments.gateways.stripe_amounts import UnableToExpress, from_stripe
from payments.gateways.stripe_declines import REFUND_CANT_ARRIVE, declined

PAYMENT, REFUND = "payment", "refund"
"""The names in Stripe's metadata under which our ids stand."""
CANCELED = "canceled"
MOST_OF_A_REASON = 300


class Garbage(Exception):
    """An answer that isn't what Stripe's reference describes; the text says what is wrong with it."""


def plain(answer: object) -> dict[str, object]:
    """A Stripe object as a dictionary. Raises Garbage."""
    if not isinstance(answer, stripe.StripeObject):
        raise Garbage(f"Stripe answered with a {type(answer).__name__}")
    return answer.to_dict()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A payment intent or a refund as Stripe tells it. `owner` is our id in its metadata, `amount` what was moved."""

    id: str
    status: str
    owner: str
    amount: int
    currency: str
    code: str = ""
    advice: str = ""


def intent_told(data: Mapping[str, Any]) -> Told:
    """Raises Garbage."""
    error = data.get("last_payment_error") or {}
    code, advice = decline_of(error) if isinstance(error, Mapping) else ("", "")
    return _told(data, owner=PAYMENT, amount="amount_received", code=code, advice=advice)


def refund_told(data: Mapping[str, Any]) -> Told:
    """Raises Garbage."""
    reason = data.get("failure_reason")
    return _told(data, owner=REFUND, amount="amount", code=reason if isinstance(reason, str) else "", advice="")


def decline_of(error: Mapping[str, Any]) -> tuple[str, str]:
    """The most telling code of an error object, and the issuer's advice; empty where there is none."""
    code, advice = error.get("decline_code") or error.get("code"), error.get("advice_code")
    return (code if isinstance(code, str) else "", advice if isinstance(advice, str) else "")


def _told(data: Mapping[str, Any], *, owner: str, amount: str, code: str, advice: str) -> Told:
    moved = data.get(amount)
    if not isinstance(moved, int) or isinstance(moved, bool):
        raise Garbage(f"Stripe's {amount} is a {type(moved).__name__}")
    return Told(
        id=_text(data, "id"),
        status=_text(data, "status"),
        owner=owner_of(data, owner),
        amount=moved,
        currency=_text(data, "currency").upper(),
        code=code,
        advice=advice,
    )


def owner_of(data: Mapping[str, Any], name: str) -> str:
    """Our id in an object's metadata, or an empty string. Raises Garbage."""
    metadata = data.get("metadata")
    if not isinstance(metadata, Mapping):
        raise Garbage("Stripe told no metadata")
    return str(metadata.get(name, ""))


def _text(data: Mapping[str, Any], name: str) -> str:
    text = data.get(name)
    if not isinstance(text, str) or not text:
        raise Garbage(f"Stripe told no {name}")
    return text


def page_of(data: Mapping[str, object]) -> tuple[list[dict[str, Any]], bool]:
    """The objects of a list's page, and whether more follow. Raises Garbage."""
    objects, more = data.get("data"), data.get("has_more")
    if data.get("object") != "list" or not isinstance(objects, list) or not isinstance(more, bool):
        raise Garbage("Stripe answered with something that is no list")
    if not all(isinstance(found, dict) for found in objects) or (more and not objects):
        raise Garbage("Stripe's list is not one of objects")
    return objects, more


def moved(told: Told) -> Succeeded | Unknown:
    """Stripe says that the money was moved."""
    try:
        owner = uuid.UUID(told.owner)
        amount_minor = from_stripe(amount=told.amount, currency=told.currency)
    except ValueError:
        return Unknown(f"{told.id} succeeded, but names no request of ours", needs_person=True, reference=told.id)
    except UnableToExpress as error:
        return Unknown(f"{told.id} succeeded, but {error}", needs_person=True, reference=told.id)
    return Succeeded(reference=told.id, key=owner, amount_minor=amount_minor, currency=told.currency)


def not_ours(told: Told, request: PaymentRequest | RefundRequest) -> Unknown | None:
    """A state other than succeeded says something of our request only where the object is our request's."""
    if told.owner == str(request.key):
        return None
    return Unknown(f"Stripe answered with {told.id}, which is another request's", needs_person=True)


def settled_intent(told: Told) -> Answer | None:
    """The answer that an intent's state amounts to, or None while money could still be moved by it: to be cancelled.

    (https://docs.stripe.com/payments/paymentintents/lifecycle)
    """
    match told.status:
        case "succeeded":
            return moved(told)
        case "canceled":
            return declined(code=told.code or CANCELED, advice=told.advice)
        case "requires_payment_method" | "requires_action" | "requires_confirmation":
            return None
        case "requires_capture":
            # We never ask for a capture by hand. A person at Stripe's dashboard can still take the money.
            return Unknown(f"{told.id} is authorised and was not captured", needs_person=True, reference=told.id)
    return Unknown(f"{told.id} is {told.status}", reference=told.id)


def settled_refund(told: Told) -> Answer:
    """(https://docs.stripe.com/refunds#failed-refunds)"""
    if told.status == "succeeded":
        return moved(told)
    if told.status in {"failed", CANCELED}:
        return Declined(told.code or told.status, hard=told.code in REFUND_CANT_ARRIVE)
    return Unknown(f"{told.id} is {told.status}", reference=told.id)


def short(text: object) -> str:
    """A reason that people can read: one line, not long."""
    return " ".join(str(text).split())[:MOST_OF_A_REASON]
