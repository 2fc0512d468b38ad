"""Stripe: payment intents off-session, confirmed as they are created, and refunds (docs/stripe.md).

Chosen by `PAYMENT_GATEWAY`; nothing else imports this module, so that the library is loaded only where it is used.
"""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from payments.gateways.port import Answer, Declined, Finding, PaymentRequest, RefundRequest, Request, Unknown
from payments.gateways.sessions import SessionAnswer, SessionFinding, SessionRequest

try:
    import stripe
except ModuleNotFoundError as error:
    raise ImproperlyConfigured(
        "PAYMENT_GATEWAY is Stripe, whose library is not installed: pip install -r requirements/stripe.txt"
    ) from error

from stripe.params import PaymentIntentCreateParams, RefundCreateParams

from payments.gateways.stripe.amounts import UnableToExpress, to_stripe
from payments.gateways.stripe.answers import PAYMENT, REFUND, UnreadableAnswer, read_intent, read_refund, short
from payments.gateways.stripe.call import StripeCall
from payments.gateways.stripe.errors import intent_of, is_key_reused, refused_payment, refused_refund
from payments.gateways.stripe.sessions import end_at_stripe, look_up_at_stripe, open_at_stripe

MAX_DESCRIPTION_LENGTH = 500
NO_PAYMENT_METHOD = Declined("no_payment_method")
NOT_EXPRESSIBLE = Declined("amount_not_expressible")


class StripeGateway:
    """Keeps nothing between calls: each has its own client, whose requests share one deadline."""

    name = "stripe"

    def __init__(self, *, api_key: str = "", api_base: str = "") -> None:
        """The settings give what isn't passed. Raises ImproperlyConfigured."""
        self._api_key, self._api_base = api_key or settings.STRIPE_API_KEY, api_base or settings.STRIPE_API_BASE
        if not self._api_key:
            raise ImproperlyConfigured("PAYMENT_GATEWAY is Stripe, and STRIPE_API_KEY is empty")

    def submit(self, request: Request, *, timeout_seconds: float) -> Answer:
        if isinstance(request, PaymentRequest):
            return self._create_payment(request, timeout_seconds)
        return self._create_refund(request, timeout_seconds)

    def look_up(self, request: Request, *, timeout_seconds: float) -> Finding:
        return self._paced_call(timeout_seconds).look_up(request)

    def open_session(self, request: SessionRequest, *, timeout_seconds: float) -> SessionAnswer:
        return open_at_stripe(self._call(timeout_seconds), request, key=self._session_key(request))

    def look_up_session(self, request: SessionRequest, *, timeout_seconds: float) -> SessionFinding:
        return look_up_at_stripe(self._call(timeout_seconds), request)

    def end_session(self, request: SessionRequest, *, timeout_seconds: float) -> SessionFinding:
        return end_at_stripe(self._call(timeout_seconds), request)

    def _create_payment(self, request: PaymentRequest, timeout_seconds: float) -> Answer:
        if not request.customer or not request.payment_method:
            return NO_PAYMENT_METHOD
        try:
            params = _payment_params(request)
        except UnableToExpress:
            return NOT_EXPRESSIBLE
        call = self._paced_call(timeout_seconds)
        options = self._options(request)
        try:
            record = read_intent(call.send(lambda client: client.v1.payment_intents.create(params, options)))
        except UnreadableAnswer as error:
            return Unknown(short(error))
        except stripe.StripeError as error:
            if is_key_reused(error):
                return call.look_up_reused_key(request)
            intent = intent_of(error)
            return call.payment_answer(request, intent) if intent else refused_payment(error)
        return call.payment_answer(request, record)

    def _create_refund(self, request: RefundRequest, timeout_seconds: float) -> Answer:
        if not request.payment_reference:
            return Declined("no_payment_reference", hard=True)
        try:
            params = _refund_params(request)
        except UnableToExpress:
            return NOT_EXPRESSIBLE
        call = self._paced_call(timeout_seconds)
        options = self._options(request)
        try:
            record = read_refund(call.send(lambda client: client.v1.refunds.create(params, options)))
        except UnreadableAnswer as error:
            return Unknown(short(error))
        except stripe.StripeError as error:
            return call.look_up_reused_key(request) if is_key_reused(error) else refused_refund(error)
        return call.refund_answer(request, record)

    def _options(self, request: Request) -> stripe.RequestOptions:
        return {"idempotency_key": str(request.key)}

    def _session_key(self, request: SessionRequest) -> str:
        return str(request.session_id)

    def _paced_call(self, timeout_seconds: float) -> StripeCall:
        return self._call(timeout_seconds, is_paced=settings.PAYMENT_GATEWAY_CALLS_PER_SECOND > 0)

    def _call(self, timeout_seconds: float, *, is_paced: bool = False) -> StripeCall:
        return StripeCall(
            api_key=self._api_key, api_base=self._api_base, timeout_seconds=timeout_seconds, is_paced=is_paced
        )


def _payment_params(request: PaymentRequest) -> PaymentIntentCreateParams:
    """Raises UnableToExpress."""
    params: PaymentIntentCreateParams = {
        "amount": to_stripe(amount_minor=request.amount_minor, currency=request.currency),
        "currency": request.currency.lower(),
        "customer": request.customer,
        "payment_method": request.payment_method,
        "confirm": True,
        "off_session": True,
        # No customer is present to be redirected to another page.
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "metadata": {PAYMENT: str(request.key)},
    }
    if request.description:
        params["description"] = request.description[:MAX_DESCRIPTION_LENGTH]
    return params


def _refund_params(request: RefundRequest) -> RefundCreateParams:
    """Raises UnableToExpress."""
    return {
        "payment_intent": request.payment_reference,
        "amount": to_stripe(amount_minor=request.amount_minor, currency=request.currency),
        "metadata": {REFUND: str(request.key), PAYMENT: str(request.payment_id)},
    }
