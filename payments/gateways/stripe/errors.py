"""Stripe's errors, and what each means for the money (https://docs.stripe.com/api/errors)."""

import datetime
import re
from collections.abc import Mapping
from typing import Any

import stripe

from payments.gateways.port import Answer, Declined, NotAttempted, Unknown
from payments.gateways.stripe.answers import StripeRecord, UnreadableAnswer, decline_of, read_intent, short
from payments.gateways.stripe.declines import OF_THE_ACCOUNT, REFUND_REFUSED, REFUSED_BY_REQUEST
from payments.gateways.stripe.transport import NotSent

ANOTHER_MODE = "a similar object exists in"
"""Part of Stripe's message for a test key and a live object, or the other way round."""
LOCKED = "lock_timeout"
"""The code of a 429 about one object, which another request has locked."""
MAX_WAIT_SECONDS = 60
NO_FUNDS_TO_SEND = "insufficient_funds"
_KEY = re.compile(r"\b[a-z]{2}_(?:test|live)_[\w*]+")
"""An API key, also one whose middle is masked."""


def is_key_reused(error: stripe.StripeError) -> bool:
    """The key came before with other parameters, as when the account's payment method was changed in between."""
    return isinstance(error, stripe.IdempotencyError)


def intent_of(error: stripe.StripeError) -> StripeRecord | None:
    """The intent that was created although the request was refused."""
    try:
        return read_intent(object_of(error).get("payment_intent") or {})
    except UnreadableAnswer:
        return None


def refused_payment(error: stripe.StripeError) -> Answer:
    """What a refusal that names no intent means: none was created, so no money was moved.

    A soft decline where it concerns the account or its charge: no issuer said anything, and people can fix it. Anything
    else concerns our requests in general, as after a change of the API's version: that is no outcome of a payment.
    """
    if not isinstance(error, stripe.InvalidRequestError):
        return unanswered(error)
    if _of_another_mode(error):
        return NotAttempted("the API key and the customer are not of one mode (test, live)", this_request_only=True)
    code, _ = decline_of(object_of(error))
    if error.param in OF_THE_ACCOUNT or code in REFUSED_BY_REQUEST:
        return Declined(code or f"invalid_{error.param}")
    return NotAttempted(_in_stripes_words(error), this_request_only=True)


def refused_refund(error: stripe.StripeError) -> Answer:
    """What a refusal means. One that we don't know needs review, since a person requested the refund."""
    code, _ = decline_of(object_of(error))
    if isinstance(error, stripe.CardError):
        return Declined(code or "declined")
    if not isinstance(error, stripe.InvalidRequestError):
        return unanswered(error)
    if _of_another_mode(error):
        return NotAttempted("the API key and the payment are not of one mode (test, live)", this_request_only=True)
    if code in REFUND_REFUSED:
        return Declined(code, hard=True)
    if code == NO_FUNDS_TO_SEND:
        return Declined(code)
    return Unknown(_in_stripes_words(error), needs_review=True)


def unanswered(error: stripe.StripeError) -> NotAttempted | Unknown:
    """What an error that says nothing about this request in particular means for it."""
    if isinstance(error, NotSent):
        return NotAttempted(short(f"Stripe could not be reached: {error}"))
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        # Its message quotes a part of the key.
        return NotAttempted(f"Stripe refused the API key ({error.http_status})")
    if isinstance(error, stripe.RateLimitError) and object_of(error).get("code") != LOCKED:
        return NotAttempted(
            "Stripe takes no more requests for now (429)",
            retry_after=datetime.timedelta(seconds=seconds_to_wait(error, default=1)),
        )
    status = f" ({error.http_status})" if error.http_status else ""
    return Unknown(short(f"no answer from Stripe{status}: {error.user_message or error}"))


def seconds_to_wait(error: stripe.StripeError, *, default: float) -> float:
    """How long Stripe asks to wait (`Retry-After`, https://datatracker.ietf.org/doc/html/rfc9110#field.retry-after), at
    most a minute; the default where it names no seconds, or none at all.
    """
    asked = str((error.headers or {}).get("Retry-After", ""))
    seconds = int(asked) if asked.isascii() and asked.isdigit() else 0
    return min(seconds, MAX_WAIT_SECONDS) or default


def _in_stripes_words(error: stripe.StripeError) -> str:
    return short(_KEY.sub("(an API key)", f"Stripe refused the request: {error.user_message}"))


def _of_another_mode(error: stripe.StripeError) -> bool:
    return ANOTHER_MODE in (error.user_message or "")


def object_of(error: stripe.StripeError) -> Mapping[str, Any]:
    """The error object of Stripe's answer; empty where there is none."""
    body: object = error.json_body
    found = body.get("error") if isinstance(body, Mapping) else None
    return found if isinstance(found, Mapping) else {}
