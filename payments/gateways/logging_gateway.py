"""The simplest gateway: logs the request as a payment API would be called, and succeeds."""

import logging

from payments.gateways import PaymentRequest, Succeeded

logger = logging.getLogger(__name__)


class LoggingGateway:
    name = "logging"

    def collect(self, request: PaymentRequest) -> Succeeded:
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
        return Succeeded(reference=f"logged-{request.payment_id}")
