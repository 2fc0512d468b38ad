"""Money that was taken back: a dispute, a bank debit that was returned, a refund that didn't arrive."""

import uuid
from typing import ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from api.endpoints import Endpoint
from api.idempotency import MOVES_MONEY, Answer
from api.models import Scope
from api.schema import call
from api.v1.ledger import EntrySerializer, entry_written
from api.v1.lifecycle import ReasonSerializer
from api.v1.payments import TAG
from payments.reversed_money import record_reversed_payment, record_reversed_refund


class PaymentReversalEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.LEDGER_WRITE}

    @call(
        "record_reversed_payment",
        tag=TAG,
        summary="Record that a payment was taken back",
        description="A dispute, or a bank debit that was returned: its invoice is OPEN again, and credit that it gave "
        "is gone. What was refunded of it before isn't taken back again. Once a payment, and not while a refund of it "
        "is in flight. The response is the ledger entry.",
        scope=Scope.LEDGER_WRITE,
        request=ReasonSerializer,
        response=EntrySerializer,
        status=201,
        missing=True,
        idempotency_key="required",
        examples=[OpenApiExample("A dispute", {"reason": "Dispute dp_815 was lost."}, request_only=True)],
    )
    def post(self, request: Request, payment_id: uuid.UUID) -> HttpResponse:
        reason = self.body(ReasonSerializer)["reason"]

        def work() -> Answer:
            entry = record_reversed_payment(
                payment_id=payment_id, reason=reason, author=self.author, today=self.today, now=self.now
            )
            return entry_written(entry)

        return self.once(work, needs_key=MOVES_MONEY)


class RefundReversalEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.LEDGER_WRITE}

    @call(
        "record_reversed_refund",
        tag=TAG,
        summary="Record that a refund came back",
        description="Its money is the account's credit. Once a refund. The response is the ledger entry.",
        scope=Scope.LEDGER_WRITE,
        request=ReasonSerializer,
        response=EntrySerializer,
        status=201,
        missing=True,
        idempotency_key="required",
        examples=[OpenApiExample("A closed bank account", {"reason": "The bank sent it back."}, request_only=True)],
    )
    def post(self, request: Request, refund_id: uuid.UUID) -> HttpResponse:
        reason = self.body(ReasonSerializer)["reason"]

        def work() -> Answer:
            entry = record_reversed_refund(
                refund_id=refund_id, reason=reason, author=self.author, today=self.today, now=self.now
            )
            return entry_written(entry)

        return self.once(work, needs_key=MOVES_MONEY)
