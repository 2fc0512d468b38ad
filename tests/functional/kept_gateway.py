"""A provider with its own records, told from outside how to answer."""

import uuid

from payments.gateways import (
    Answer,
    Declined,
    Finding,
    NotFound,
    Outcome,
    PaymentRequest,
    RefundRequest,
    Succeeded,
    Unknown,
)


class KeptGateway:
    """Takes the money once for each key, and answers each customer as it is told for the moment.

    It sends money back in the same way; a refund is answered by its amount.
    """

    name = "kept"

    def __init__(self) -> None:
        self.answers = ["takes"]
        self.asked: dict[uuid.UUID, int] = {}
        self.taken: dict[uuid.UUID, int] = {}
        self.declined: set[uuid.UUID] = set()
        self.sent: dict[uuid.UUID, int] = {}
        self.refused: set[uuid.UUID] = set()
        self.contradicted: list[uuid.UUID] = []

    def collect(self, request: PaymentRequest, *, timeout_seconds: float) -> Outcome:
        key = request.payment_id
        if self.asked.setdefault(key, request.amount_minor) != request.amount_minor:
            # Kept, not raised: a gateway that fails is only an unknown outcome.
            self.contradicted.append(key)
        # By customer, since the order in which threads ask is nobody's.
        answer = self.answers[int(request.customer) % len(self.answers)]
        if key in self.taken or (answer == "takes" and key not in self.declined):
            self.taken[key] = request.amount_minor
            return Succeeded.of(request, reference=str(key))
        if key in self.declined or answer == "declines":
            self.declined.add(key)
            return Declined(code="insufficient_funds")
        if answer == "fails having taken":
            self.taken[key] = request.amount_minor
        if answer == "does not know":
            return Unknown(reason="no answer in time")
        raise TimeoutError

    def look_up(self, request: PaymentRequest, *, timeout_seconds: float) -> Finding:
        """From its own records; where it is told to fail, it fails here too."""
        answer = self.answers[int(request.customer) % len(self.answers)]
        if answer == "fails":
            raise TimeoutError
        if answer == "does not know":
            return Unknown(reason="no answer in time")
        if request.key in self.taken:
            return Succeeded.of(request, reference=str(request.key))
        return Declined(code="insufficient_funds") if request.key in self.declined else NotFound()

    def refund(self, request: RefundRequest, *, timeout_seconds: float) -> Answer:
        key, answer = request.refund_id, self.answers[request.amount_minor % len(self.answers)]
        if self.asked.setdefault(key, request.amount_minor) != request.amount_minor:
            self.contradicted.append(key)
        if key in self.sent or (answer == "takes" and key not in self.refused):
            self.sent[key] = request.amount_minor
            return Succeeded.of(request, reference=str(key))
        if key in self.refused or answer == "declines":
            self.refused.add(key)
            return Declined(code="charge_disputed")
        if answer == "fails having taken":
            self.sent[key] = request.amount_minor
        if answer == "does not know":
            return Unknown(reason="no answer in time")
        raise TimeoutError

    def look_up_refund(self, request: RefundRequest, *, timeout_seconds: float) -> Finding:
        """As `look_up`."""
        answer = self.answers[request.amount_minor % len(self.answers)]
        if answer == "fails":
            raise TimeoutError
        if answer == "does not know":
            return Unknown(reason="no answer in time")
        if request.key in self.sent:
            return Succeeded.of(request, reference=str(request.key))
        return Declined(code="charge_disputed") if request.key in self.refused else NotFound()
