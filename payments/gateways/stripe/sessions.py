"""Sessions at Stripe: setup intents, which a front end completes with the client secret
(https://docs.stripe.com/payments/save-and-reuse)."""

from collections.abc import Mapping
from typing import Any

import stripe
from stripe.params import CustomerCreateParams, SetupIntentCreateParams

from payments.gateways.sessions import (
    SessionAnswer,
    SessionCompleted,
    SessionFailed,
    SessionFinding,
    SessionOpened,
    SessionPending,
    SessionRequest,
    SessionUnanswered,
)
from payments.gateways.stripe.answers import CANCELED, UnreadableAnswer, decline_of, owner_of, short, text_of
from payments.gateways.stripe.call import StripeCall
from payments.gateways.stripe.errors import object_of, unanswered

SESSION, ACCOUNT = "session", "account"
"""The names of our ids in Stripe's metadata."""
INVALID = "invalid_request"
"""The code of a request that Stripe doesn't take, where it gives none of its own."""


def open_at_stripe(call: StripeCall, request: SessionRequest, *, key: str) -> SessionAnswer:
    """Create the setup intent, and its customer first where the account has none, each under a key of the session's.

    Cut off anywhere and called again, both are those that were created at first.
    """
    try:
        customer = request.customer or _create_customer(call, request, key=f"{key}-customer")
        params: SetupIntentCreateParams = {
            "customer": customer,
            "usage": "off_session",
            "automatic_payment_methods": {"enabled": True},
            "metadata": {SESSION: str(request.session_id), ACCOUNT: str(request.account_id)},
        }
        options: stripe.RequestOptions = {"idempotency_key": key}
        intent = call.send(lambda client: client.v1.setup_intents.create(params, options))
        return SessionOpened(
            reference=text_of(intent, "id"), customer=customer, client_secret=text_of(intent, "client_secret")
        )
    except UnreadableAnswer as error:
        return SessionUnanswered(short(error))
    except stripe.StripeError as error:
        return _refused(error)


def look_up_at_stripe(call: StripeCall, request: SessionRequest) -> SessionFinding:
    """Read the setup intent."""
    try:
        return _finding(call.send(lambda client: client.v1.setup_intents.retrieve(request.reference)), request)
    except UnreadableAnswer as error:
        return SessionUnanswered(short(error))
    except stripe.StripeError as error:
        return _refused(error)


def end_at_stripe(call: StripeCall, request: SessionRequest) -> SessionFinding:
    """Cancel the setup intent. One that can't be canceled has succeeded meanwhile, is canceled, or is processing."""
    try:
        return _finding(call.send(lambda client: client.v1.setup_intents.cancel(request.reference)), request)
    except stripe.InvalidRequestError:
        return look_up_at_stripe(call, request)
    except UnreadableAnswer as error:
        return SessionUnanswered(short(error))
    except stripe.StripeError as error:
        return _refused(error)


def _create_customer(call: StripeCall, request: SessionRequest, *, key: str) -> str:
    # Not the name, which may change between two calls: Stripe refuses a key that comes with other parameters.
    params: CustomerCreateParams = {"metadata": {ACCOUNT: str(request.account_id)}}
    options: stripe.RequestOptions = {"idempotency_key": key}
    return text_of(call.send(lambda client: client.v1.customers.create(params, options)), "id")


def _finding(intent: Mapping[str, Any], request: SessionRequest) -> SessionFinding:
    """(https://docs.stripe.com/payments/paymentintents/lifecycle, which setup intents share)"""
    if owner_of(intent, SESSION) != str(request.session_id):
        return SessionUnanswered(f"Stripe answered with {text_of(intent, 'id')}, which is another session's")
    match text_of(intent, "status"):
        case "succeeded":
            return SessionCompleted(
                customer=text_of(intent, "customer"), payment_method=text_of(intent, "payment_method")
            )
        case "canceled":
            return SessionFailed(CANCELED)
    # A card that was declined leaves the intent waiting for another one.
    return SessionPending()


def _refused(error: stripe.StripeError) -> SessionFailed | SessionUnanswered:
    """A session that Stripe refuses fails, whatever the reason: nobody waits days for it, and another can be opened."""
    if isinstance(error, stripe.InvalidRequestError | stripe.IdempotencyError | stripe.CardError):
        code, _ = decline_of(object_of(error))
        return SessionFailed(code or INVALID)
    return SessionUnanswered(unanswered(error).reason)
