"""Stripe: payment intents off-session, confirmed as they are created, and refunds (docs/stripe.md).

Chosen by `PAYMENT_GATEWAY`; nothing else imports this module, so that the library is loaded only where it is used.
"""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from payments.gateways import Answer, Declined, Finding, PaymentRequest, RefundRequest, Request, Unknown

try:
    import stripe
except ModuleNotFoundError as error:
    raise ImproperlyConfigured(
        "PAYMENT_GATEWAY is Stripe, whose library is not installed: pip install -r requirements/stripe.txt"
    ) from error

from stripe.params import PaymentIntentCreateParams, RefundCreateParams

from payments.gateways.stripe_amounts import UnableToExpress, to_stripe
from payments.gateways.stripe_answers import PAYMENT, REFUND, Garbage, intent_told, refund_told, short
from payments.gateways.stripe_call import StripeCall
from payments.gateways.stripe_refusals import intent_of, is_taken, refused_payment, refused_refund

LONGEST_DESCRIPTION = 500
NO_PAYMENT_METHOD = Declined("no_payment_method")
NOT_EXPRESSIBLE = Declined("amount_not_expressible")


class StripeGateway:
    """Keeps nothing between calls: each has a client of its own, whose requests share one deadline."""

    name = "stripe"

    def __init__(self, *, api_key: str = "", api_base: str = "") -> None:
        """Without arguments as the settings have it. Raises ImproperlyConfigured."""
        self._api_key, self._api_base = api_key or settings.STRIPE_API_KEY, api_base or settings.STRIPE_API_BASE
        if not self._api_key:
            raise ImproperlyConfigured("PAYMENT_GATEWAY is Stripe, and STRIPE_API_KEY is empty")

    def collect(self, request: PaymentRequest, *, timeout_seconds: float) -> Answer:
        if not request.customer or not request.payment_method:
            return NO_PAYMENT_METHOD
        try:
            params = _payment_params(request)
        except UnableToExpress:
            return NOT_EXPRESSIBLE
        call = self._call(timeout_seconds)
        key = self._key(request)
        try:
            told = intent_told(call.ask(lambda client: client.v1.payment_intents.create(params, key)))
        except Garbage as garbage:
            return Unknown(short(garbage))
        except stripe.StripeError as error:
            if is_taken(error):
                return call.under_a_taken_key(call.look_up(request))
            refused = intent_of(error)
            return call.payment_answer(request, refused) if refused else refused_payment(error)
        return call.payment_answer(request, told)

    def look_up(self, request: PaymentRequest, *, timeout_seconds: float) -> Finding:
        return self._call(timeout_seconds).look_up(request)

    def refund(self, request: RefundRequest, *, timeout_seconds: float) -> Answer:
        if not request.payment_reference:
            return Declined("no_payment_reference", hard=True)
        try:
            params = _refund_params(request)
        except UnableToExpress:
            return NOT_EXPRESSIBLE
        call = self._call(timeout_seconds)
        key = self._key(request)
        try:
            return call.refund_answer(
                request, refund_told(call.ask(lambda client: client.v1.refunds.create(params, key)))
            )
        except Garbage as garbage:
            return Unknown(short(garbage))
        except stripe.StripeError as error:
            if is_taken(error):
                return call.under_a_taken_key(call.look_up_refund(request))
            return refused_refund(error)

    def look_up_refund(self, request: RefundRequest, *, timeout_seconds: float) -> Finding:
        return self._call(timeout_seconds).look_up_refund(request)

    def _key(self, request: Request) -> stripe.RequestOptions:
        return {"idempotency_key": str(request.key)}

    def _call(self, timeout_seconds: float) -> StripeCall:
        return StripeCall(api_key=self._api_key, api_base=self._api_base, timeout_seconds=timeout_seconds)


def _payment_params(request: PaymentRequest) -> PaymentIntentCreateParams:
    """Raises UnableToExpress."""
    params: PaymentIntentCreateParams = {
        "amount": to_stripe(amount_minor=request.amount_minor, currency=request.currency),
        "currency": request.currency.lower(),
        "customer": request.customer,
        "payment_method": request.payment_method,
        "confirm": True,
        "off_session": True,
        # Nobody is there to be sent to another page.
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "metadata": {PAYMENT: str(request.key)},
    }
    if request.description:
        params["description"] = request.description[:LONGEST_DESCRIPTION]
    return params


def _refund_params(request: RefundRequest) -> RefundCreateParams:
    """Raises UnableToExpress."""
    return {
        "payment_intent": request.payment_reference,
        "amount": to_stripe(amount_minor=request.amount_minor, currency=request.currency),
        "metadata": {REFUND: str(request.key), PAYMENT: str(request.payment_id)},
    }
