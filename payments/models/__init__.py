"""What is asked of the gateway: payments, refunds, and sessions in which a customer gives a payment method."""

from payments.models.attempts import GATEWAY_ATTEMPTS, OFFLINE, Authentication, GatewayAttempt, Payment, Refund
from payments.models.gateway_rate import GatewayRate
from payments.models.method_session import PaymentMethodSession

__all__ = [
    "GATEWAY_ATTEMPTS",
    "OFFLINE",
    "Authentication",
    "GatewayAttempt",
    "GatewayRate",
    "Payment",
    "PaymentMethodSession",
    "Refund",
]
