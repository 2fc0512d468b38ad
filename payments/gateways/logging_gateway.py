"""The simplest gateway: logs the request as a payment API would be called, and succeeds."""

import logging
import threading
import uuid
from collections import OrderedDict

from payments.gateways import NotFound, PaymentRequest, RefundRequest, Request, Succeeded

logger = logging.getLogger(__name__)

REMEMBERED = 10_000
"""So many requests are remembered, the newest."""


class LoggingGateway:
    """Takes everything that it is asked for, once for each key.

    It remembers in memory what it took, and moves no money: what it has forgotten might as well not have happened.
    """

    name = "logging"

    def __init__(self, *, remembered: int = REMEMBERED) -> None:
        self._most = remembered
        self._taken: OrderedDict[uuid.UUID, Succeeded] = OrderedDict()
        self._lock = threading.Lock()

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
        return self._take(request)

    def look_up(self, request: PaymentRequest, *, timeout_seconds: float) -> Succeeded | NotFound:
        return self._find(request)

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
        return self._take(request)

    def look_up_refund(self, request: RefundRequest, *, timeout_seconds: float) -> Succeeded | NotFound:
        return self._find(request)

    def _take(self, request: Request) -> Succeeded:
        with self._lock:
            taken = self._taken.setdefault(request.key, Succeeded.of(request, reference=f"logged-{request.key}"))
            if len(self._taken) > self._most:
                self._taken.popitem(last=False)
            return taken

    def _find(self, request: Request) -> Succeeded | NotFound:
        with self._lock:
            return self._taken.get(request.key) or NotFound()
