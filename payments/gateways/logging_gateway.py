"""The simplest gateway: logs the request as a payment API would be called, and succeeds."""

import logging
import threading
import uuid
from collections import OrderedDict

from payments.gateways.port import NotFound, PaymentRequest, RefundRequest, Request, Succeeded

logger = logging.getLogger(__name__)

REMEMBERED = 10_000
"""How many requests are remembered; the newest are kept."""


class LoggingGateway:
    """Accepts every request, once for each key.

    It remembers in memory what it accepted, and moves no money: what it has forgotten might as well not have happened.
    """

    name = "logging"

    def __init__(self, *, remembered: int = REMEMBERED) -> None:
        self._max_remembered = remembered
        self._accepted: OrderedDict[uuid.UUID, Succeeded] = OrderedDict()
        self._lock = threading.Lock()

    def submit(self, request: Request, *, timeout_seconds: float) -> Succeeded:
        if isinstance(request, PaymentRequest):
            _log_payment(request)
        else:
            _log_refund(request)
        with self._lock:
            reference = f"logged-{request.key}"
            accepted = self._accepted.setdefault(request.key, Succeeded.of(request, reference=reference))
            if len(self._accepted) > self._max_remembered:
                self._accepted.popitem(last=False)
            return accepted

    def look_up(self, request: Request, *, timeout_seconds: float) -> Succeeded | NotFound:
        with self._lock:
            return self._accepted.get(request.key) or NotFound()


def _log_payment(request: PaymentRequest) -> None:
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


def _log_refund(request: RefundRequest) -> None:
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
