"""A provider with its own records, whose answers a test sets."""

import uuid

from payments.gateways.port import (
    Answer,
    Declined,
    Finding,
    NotAttempted,
    NotFound,
    PaymentRequest,
    RefundRequest,
    Request,
    Succeeded,
    Unknown,
)
from tests.support.gateways import OpensSessions

DECLINES = {
    "declines": Declined(code="insufficient_funds"),
    "declines for good": Declined(code="stolen_card", hard=True),
    "finds it too small": Declined(code="amount_too_small"),
}


class KeptGateway(OpensSessions):
    """Takes the money once for each key, and answers each customer by `answers`, which a test may change.

    It sends money back in the same way; a refund is answered by its amount.
    """

    name = "logging"
    """The configured gateway's, so that what a sweep or a request submits is this one's."""

    def __init__(self) -> None:
        self.answers = ["takes"]
        self.asked: dict[uuid.UUID, int] = {}
        self.taken: dict[uuid.UUID, int] = {}
        self.declined: dict[uuid.UUID, Declined] = {}
        self.awaited: set[uuid.UUID] = set()
        """Payments that the customer is to authenticate."""
        self.sent: dict[uuid.UUID, int] = {}
        self.refused: set[uuid.UUID] = set()
        self.contradicted: list[uuid.UUID] = []

    def submit(self, request: Request, *, timeout_seconds: float) -> Answer:
        return self._collect(request) if isinstance(request, PaymentRequest) else self._refund(request)

    def look_up(self, request: Request, *, timeout_seconds: float) -> Finding:
        """From its own records; where the answer is to fail, it fails here too."""
        return self._find_payment(request) if isinstance(request, PaymentRequest) else self._find_refund(request)

    def _collect(self, request: PaymentRequest) -> Answer:
        # By customer, since the order in which threads call is random.
        key, answer = request.payment_id, self.answers[int(request.customer) % len(self.answers)]
        if answer == "is down":
            return NotAttempted(reason="503 Service Unavailable")
        if self.asked.setdefault(key, request.amount_minor) != request.amount_minor:
            # Kept, not raised: a gateway that fails is only an unknown outcome.
            self.contradicted.append(key)
        if key in self.taken or (answer == "takes" and key not in self.declined):
            self.taken[key] = request.amount_minor
            return Succeeded.of(request, reference=str(key))
        if key in self.declined or answer in DECLINES:
            return self.declined.setdefault(key, DECLINES.get(answer, DECLINES["declines"]))
        if answer == "wants the customer":
            return self._wait_for_customer(request)
        if answer == "fails having taken":
            self.taken[key] = request.amount_minor
        if answer == "does not know":
            return Unknown(reason="no answer in time")
        raise TimeoutError

    def _wait_for_customer(self, request: PaymentRequest) -> Answer:
        if request.customer_may_act:
            self.awaited.add(request.key)
            return Unknown(reason="waits for the customer", client_secret=f"{request.key}_secret")
        return self.declined.setdefault(request.key, Declined(code="authentication_required"))

    def _find_payment(self, request: PaymentRequest) -> Finding:
        answer = self.answers[int(request.customer) % len(self.answers)]
        if answer == "is down":
            return NotAttempted(reason="503 Service Unavailable")
        if answer == "fails":
            raise TimeoutError
        if answer == "does not know":
            return Unknown(reason="no answer in time")
        if request.key in self.taken:
            return Succeeded.of(request, reference=str(request.key))
        if request.key in self.awaited and request.key not in self.declined:
            if answer != "takes":
                return self._wait_for_customer(request)
            # The customer has come.
            self.taken[request.key] = request.amount_minor
            return Succeeded.of(request, reference=str(request.key))
        return self.declined.get(request.key) or NotFound()

    def _refund(self, request: RefundRequest) -> Answer:
        key, answer = request.refund_id, self.answers[request.amount_minor % len(self.answers)]
        if answer == "is down":
            return NotAttempted(reason="503 Service Unavailable")
        if self.asked.setdefault(key, request.amount_minor) != request.amount_minor:
            self.contradicted.append(key)
        if key in self.sent or (answer == "takes" and key not in self.refused):
            self.sent[key] = request.amount_minor
            return Succeeded.of(request, reference=str(key))
        if key in self.refused or answer in DECLINES:
            self.refused.add(key)
            return Declined(code="charge_disputed")
        if answer == "fails having taken":
            self.sent[key] = request.amount_minor
        if answer == "does not know":
            return Unknown(reason="no answer in time")
        raise TimeoutError

    def _find_refund(self, request: RefundRequest) -> Finding:
        answer = self.answers[request.amount_minor % len(self.answers)]
        if answer == "is down":
            return NotAttempted(reason="503 Service Unavailable")
        if answer == "fails":
            raise TimeoutError
        if answer == "does not know":
            return Unknown(reason="no answer in time")
        if request.key in self.sent:
            return Succeeded.of(request, reference=str(request.key))
        return Declined(code="charge_disputed") if request.key in self.refused else NotFound()
