"""Refunds: money sent back against a payment."""

import uuid
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.reasons import MAX_REASON_LENGTH
from api.endpoints import Body, Endpoint, ListEndpoint
from api.fields import Amount, Choice, Currency, Identifier, Movement, Text, TextOrNull
from api.filters import ChoiceFilter, FilterSet, IdFilter, InvoiceOfRunFilter, SinceFilter, UntilFilter, YesOrNoFilter
from api.idempotency import MOVES_MONEY, Answer
from api.models import Scope
from api.schema import call
from api.v1.payments import TAG
from payments.locked_attempts import UnknownPayment, UnknownRefund
from payments.models import Payment, Refund
from payments.refund_requests import request_refund

FROM = "from"
"""A word of Python's own, so that it can't be the name of an attribute."""


class RefundSerializer(serializers.ModelSerializer[Refund]):
    """Money sent back against a payment. SUBMITTED until the gateway answers."""

    amount_minor = Amount(minimum=1)
    failure_code = TextOrNull(help_text="Why it failed. No money was sent.")
    review_reason = TextOrNull(help_text="What a person has to decide about it, or had.")
    resolution = TextOrNull(help_text="Why a person decided about it as they did.")
    resolved_by = TextOrNull(help_text="The person who decided.")
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
            "review_reason",
            "resolution",
            "resolved_by",
            "reason",
            "gateway",
            "gateway_reference",
            "submitted_at",
            "completed_at",
            "created_by",
        )
        read_only_fields = fields

    def get_fields(self) -> Any:
        source = serializers.ChoiceField(
            Refund.Source.choices,
            source="source",
            read_only=True,
            help_text="The payment, whose invoice gets a credit note; or the account's credit balance.",
        )
        return super().get_fields() | {FROM: source}


class RefundPaymentSerializer(Body):
    """A refund to request."""

    amount_minor = Movement(help_text="In minor units of the payment's currency.")
    reason = Text(max_length=MAX_REASON_LENGTH, help_text="It becomes the description of the ledger entry.")
    currency = Currency(required=False, help_text="A safety check: must be the payment's.")
    account = Identifier(required=False, source="account_id", help_text="A safety check: must be the payment's.")

    def get_fields(self) -> Any:
        source = Choice(
            Refund.Source.choices,
            required=False,
            source="source",
            help_text="`payment`, the default: its invoice gets a credit note of the same amount. `balance`: the "
            "account's credit balance is paid out.",
        )
        return super().get_fields() | {FROM: source}


class RefundFilters(FilterSet):
    """Filters of the refunds of all accounts."""

    status = ChoiceFilter(choices=Refund.Status.choices)
    needs_review = YesOrNoFilter(label="Whether it waits for a person's decision.")
    account = IdFilter("account_id", label="The id of the account.")
    submitted_since = SinceFilter("submitted_at", label="Requested on this day or later.")
    submitted_until = UntilFilter("submitted_at", label="Requested on this day or earlier.")
    run = InvoiceOfRunFilter("payment__invoice_id")


class RefundsEndpoint(ListEndpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ}
    queryset = Refund.objects.all()
    serializer_class = RefundSerializer
    filterset_class = RefundFilters

    @call(
        "list_refunds",
        tag=TAG,
        summary="List refunds",
        description="Of all accounts, newest first.",
        scope=Scope.LEDGER_READ,
        response=RefundSerializer,
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        return self.list(request)


_WHOLE = {"amount_minor": 1999, "reason": "Cancelled within the first week."}
_PAID_OUT = {"amount_minor": 500, "reason": "The customer left.", FROM: "balance"}


class PaymentRefundsEndpoint(ListEndpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ, "POST": Scope.LEDGER_WRITE}
    queryset = Refund.objects.all()
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
        description="All or part of it. The response is the refund, SUBMITTED; get it again for its outcome. When it "
        "succeeds, the invoice gets a credit note for the same amount: nothing is owed again, and the invoice stays "
        "PAID. When it fails, neither is booked. At most what was paid of the invoice and not refunded, and what its "
        "credit notes have left of it; `from: balance` pays out credit. An offline payment is refunded offline, by "
        "you: its refund is SUCCEEDED at once.",
        scope=Scope.LEDGER_WRITE,
        request=RefundPaymentSerializer,
        response=RefundSerializer,
        status=202,
        missing=True,
        idempotency_key="required",
        examples=[
            OpenApiExample("19.99", _WHOLE, request_only=True),
            OpenApiExample("5.00 of the credit balance", _PAID_OUT, request_only=True),
        ],
    )
    def post(self, request: Request, payment_id: uuid.UUID) -> HttpResponse:
        values = self.body(RefundPaymentSerializer)

        def work() -> Answer:
            refund = request_refund(payment_id=payment_id, **values, author=self.author, today=self.today, now=self.now)
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
        refund = Refund.objects.filter(id=refund_id).first()
        if refund is None:
            raise UnknownRefund(f"There is no refund {refund_id}.")
        return Response(RefundSerializer(refund).data)
