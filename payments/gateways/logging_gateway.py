"""The simplest gateway: logs the request as a payment API would be called, and succeeds."""

import logging

from payments.gateways import PaymentRequest, RefundRequest, Request, Succeeded

logger = logging.getLogger(__name__)


class LoggingGateway:
    """Takes everything that it is asked for, so what is looked up is as if it was taken before."""

    name = "logging"

    def collect(self, request: PaymentRequest, *, timeout_seconds: float) -> Succeeded:
        logger.info(
            "payment requested",
            extra={
                "event": "payment.requested",
                "idempotency_key": str(request.payment_id),
                "amount_minor": request.amount_minor,
                "currency": request.currency,
                "customer": request.customer,
                "payment_method": request.payment_method,
                "description": request.description,
            },
        )
        return _taken(request)

    def look_up(self, request: PaymentRequest, *, timeout_seconds: float) -> Succeeded:
        return _taken(request)

    def refund(self, request: RefundRequest, *, timeout_seconds: float) -> Succeeded:
        logger.info(
            "refund requested",
            extra={
                "event": "refund.requested",
                "idempotency_key": str(request.refund_id),
                "payment": str(request.payment_id),
                "amount_minor": request.amount_minor,
                "currency": request.currency,
                "reason": request.reason,
            },
        )
        return _taken(request)

    def look_up_refund(self, request: RefundRequest, *, timeout_seconds: float) -> Succeeded:
        return _taken(request)


def _taken(request: Request) -> Succeeded:
    return Succeeded.of(request, reference=f"logged-{request.key}")
