"""Refunds: money sent back against a payment."""

import uuid
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Body, Endpoint, ListEndpoint
from api.fields import Amount, Currency, Identifier, Movement, Text, TextOrNull
from api.idempotency import MOVES_MONEY, Answer
from api.models import Scope
from api.schema import call
from api.v1.payments import TAG
from payments.models import Payment, Refund
from rebilling.dunning import UnknownPayment
from rebilling.refund_requests import request_refund
from rebilling.reviews import UnknownRefund


class RefundSerializer(serializers.ModelSerializer[Refund]):
    """Money sent back against a payment. SUBMITTED until the gateway answers."""

    account = serializers.UUIDField(source="payment.account_id", read_only=True)
    amount_minor = Amount(least=1)
    failure_code = TextOrNull(help_text="Why it failed. No money was sent.")
    gateway_reference = TextOrNull(help_text="The refund's id at the gateway.")

    class Meta:
        model = Refund
        fields = (
            "id",
            "payment",
            "account",
            "amount_minor",
            "currency",
            "status",
            "failure_code",
            "needs_review",
            "reason",
            "gateway",
            "gateway_reference",
            "submitted_at",
            "completed_at",
            "created_by",
        )
        read_only_fields = fields


class RefundPaymentSerializer(Body):
    """A refund to request."""

    amount_minor = Movement(help_text="In minor units of the payment's currency.")
    reason = Text(max_length=500, help_text="It becomes the description of the ledger entry.")
    currency = Currency(required=False, help_text="A safety check: must be the payment's.")
    account = Identifier(required=False, help_text="A safety check: must be the payment's.")


_WHOLE = {"amount_minor": 1999, "reason": "Cancelled within the first week."}


class PaymentRefundsEndpoint(ListEndpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ, "POST": Scope.LEDGER_WRITE}
    queryset = Refund.objects.select_related("payment")
    serializer_class = RefundSerializer

    def get_queryset(self) -> QuerySet[Refund]:
        payment_id = self.kwargs["payment_id"]
        if not Payment.objects.filter(id=payment_id).exists():
            raise UnknownPayment(f"There is no payment {payment_id}.")
        return super().get_queryset().filter(payment=payment_id)

    @call(
        "list_payment_refunds",
        tag=TAG,
        summary="List a payment's refunds",
        description="Newest first.",
        scope=Scope.LEDGER_READ,
        response=RefundSerializer,
        missing=True,
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        return self.list(request)

    @call(
        "request_refund",
        tag=TAG,
        summary="Refund a payment",
        description="All or part of it. A payment's refunds, FAILED ones aside, never exceed its amount. The response "
        "is the refund, SUBMITTED; get it again for its outcome. Once sent, the account's free credit goes down by it, "
        "and the remainder is credited: the customer doesn't owe it again. If the charge was wrong, reverse the charge "
        "first, then refund. An offline payment is refunded offline, by you: its refund is SUCCEEDED at once.",
        scope=Scope.LEDGER_WRITE,
        request=RefundPaymentSerializer,
        response=RefundSerializer,
        status=202,
        missing=True,
        idempotency_key="required",
        examples=[OpenApiExample("19.99", _WHOLE, request_only=True)],
    )
    def post(self, request: Request, payment_id: uuid.UUID) -> HttpResponse:
        values = self.body(RefundPaymentSerializer)

        def work() -> Answer:
            refund = request_refund(
                payment_id=payment_id,
                amount_minor=values["amount_minor"],
                reason=values["reason"],
                currency=values.get("currency"),
                account_id=values.get("account"),
                author=self.author,
                today=self.today,
                now=self.now,
            )
            return Answer(202, RefundSerializer(refund).data, location=f"/v1/refunds/{refund.id}")

        return self.once(work, needs_key=MOVES_MONEY)


class RefundEndpoint(Endpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ}

    @call(
        "get_refund",
        tag=TAG,
        summary="Get a refund",
        scope=Scope.LEDGER_READ,
        response=RefundSerializer,
        missing=True,
    )
    def get(self, request: Request, refund_id: uuid.UUID) -> Response:
        refund = Refund.objects.select_related("payment").filter(id=refund_id).first()
        if refund is None:
            raise UnknownRefund(f"There is no refund {refund_id}.")
        return Response(RefundSerializer(refund).data)
