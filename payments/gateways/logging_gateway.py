"""The simplest gateway: logs the request as a payment API would be called, and succeeds."""

import logging
import threading
import uuid
from collections import OrderedDict

from payments.gateways.port import NotFound, PaymentRequest, RefundRequest, Request, Succeeded
from payments.gateways.sessions import SessionCompleted, SessionOpened, SessionRequest

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

    def open_session(self, request: SessionRequest, *, timeout_seconds: float) -> SessionOpened:
        logger.info(
            "payment method session requested",
            extra={
                "event": "method_session.requested",
                "idempotency_key": str(request.session_id),
                "account": str(request.account_id),
                "customer": request.customer,
            },
        )
        return SessionOpened(
            reference=f"logged-{request.session_id}",
            customer=_customer_of(request),
            client_secret=f"logged-{request.session_id}-secret",
        )

    def look_up_session(self, request: SessionRequest, *, timeout_seconds: float) -> SessionCompleted:
        """There is no front end that could take a card: each customer is taken to have given one."""
        return SessionCompleted(customer=_customer_of(request), payment_method=f"logged-method-{request.session_id}")

    def end_session(self, request: SessionRequest, *, timeout_seconds: float) -> SessionCompleted:
        return self.look_up_session(request, timeout_seconds=timeout_seconds)


def _customer_of(request: SessionRequest) -> str:
    return request.customer or f"logged-customer-{request.account_id}"


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
