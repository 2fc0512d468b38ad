"""Payments and their outcomes, and money received offline."""

import uuid
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.reasons import MAX_REASON_LENGTH
from api.endpoints import Body, Endpoint, ListEndpoint
from api.fields import Amount, Currency, Identifier, Movement, Text, TextOrNull, YesOrNo
from api.filters import ChoiceFilter, FilterSet, IdFilter, InvoiceOfRunFilter, SinceFilter, UntilFilter, YesOrNoFilter
from api.idempotency import MOVES_MONEY, Answer
from api.models import Scope
from api.schema import call
from api.v1.account_answers import AccountListEndpoint
from payments.gateways.texts import MAX_REFERENCE_LENGTH
from payments.locked_attempts import UnknownPayment
from payments.models import Payment
from payments.offline_payments import PossibleDuplicate, record_offline_payment

TAG = "Payments"


class PaymentSerializer(serializers.ModelSerializer[Payment]):
    """One attempt to collect an invoice at the gateway, or money received offline, for an invoice or for none."""

    cause = serializers.ChoiceField(Payment.Cause.choices, read_only=True, help_text="Why it was attempted.")
    amount_minor = Amount(minimum=1)
    excess_minor = Amount(help_text="What of it was more than the invoice asked for, and is the account's credit.")
    refunded_minor = Amount(help_text="What was sent back of it.")
    decline_code = TextOrNull(help_text="Why it was declined.")
    review_reason = TextOrNull(help_text="What a person has to decide about it, or had.")
    resolution = TextOrNull(help_text="Why a person decided about it as they did.")
    resolved_by = TextOrNull(help_text="The person who decided.")
    gateway_reference = TextOrNull(help_text="The payment's id at the gateway, or its reference on the bank statement.")

    class Meta:
        model = Payment
        fields = (
            "id",
            "account",
            "invoice",
            "cause",
            "amount_minor",
            "excess_minor",
            "refunded_minor",
            "currency",
            "status",
            "decline_code",
            "needs_review",
            "review_reason",
            "resolution",
            "resolved_by",
            "gateway",
            "gateway_reference",
            "submitted_at",
            "completed_at",
            "created_by",
        )
        read_only_fields = fields


class OfflinePaymentSerializer(Body):
    """Money received offline."""

    amount_minor = Movement(help_text="In minor units of the account's currency.")
    reference = Text(
        max_length=MAX_REFERENCE_LENGTH, help_text="What the bank statement says. It becomes the `gateway_reference`."
    )
    reason = Text(
        max_length=MAX_REASON_LENGTH, help_text="How it was paid. It becomes the description of the ledger entry."
    )
    invoice = Identifier(
        required=False, source="invoice_id", help_text="The invoice that it is for. Default: none; it is credit."
    )
    currency = Currency(required=False, help_text="A safety check: must be the account's.")
    is_another = YesOrNo(
        required=False,
        help_text="Confirms that it isn't the payment of the same reference and amount that was recorded before.",
    )


class AccountPaymentFilters(FilterSet):
    """Filters of an account's payments."""

    status = ChoiceFilter(choices=Payment.Status.choices)
    needs_review = YesOrNoFilter(label="Whether it waits for a person's decision.")
    invoice = IdFilter("invoice_id", label="The id of the invoice.")
    submitted_since = SinceFilter("submitted_at", label="Submitted on this day or later.")
    submitted_until = UntilFilter("submitted_at", label="Submitted on this day or earlier.")


class PaymentFilters(AccountPaymentFilters):
    """Filters of the payments of all accounts."""

    account = IdFilter("account_id", label="The id of the account.")
    run = InvoiceOfRunFilter("invoice_id")


class PaymentsEndpoint(ListEndpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ}
    queryset = Payment.objects.all()
    serializer_class = PaymentSerializer
    filterset_class = PaymentFilters

    @call(
        "list_payments",
        tag=TAG,
        summary="List payments",
        description="Of all accounts, newest first.",
        scope=Scope.LEDGER_READ,
        response=PaymentSerializer,
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        return self.list(request)


_CONFIRM = "Send true, with a new Idempotency-Key, if this is another payment."
_TRANSFER = {"amount_minor": 1999, "reference": "SEPA 2026-11-20 LOVELACE", "reason": "Paid by transfer."}


class AccountPaymentsEndpoint(AccountListEndpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ, "POST": Scope.LEDGER_WRITE}
    queryset = Payment.objects.all()
    serializer_class = PaymentSerializer
    filterset_class = AccountPaymentFilters

    @call(
        "list_account_payments",
        tag=TAG,
        summary="List an account's payments",
        description="Newest first.",
        scope=Scope.LEDGER_READ,
        response=PaymentSerializer,
        missing=True,
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        return self.list(request)

    @call(
        "record_offline_payment",
        tag=TAG,
        summary="Record an offline payment",
        description="A transfer or a check that you have received, for one invoice or for none. The excess, or all of "
        "it, is credit, which is applied to open invoices at once, oldest first. Inactive accounts may pay, too. The "
        "same reference and amount again is 409 `possible-duplicate` unless `is_another` says that it is another.",
        scope=Scope.LEDGER_WRITE,
        request=OfflinePaymentSerializer,
        response=PaymentSerializer,
        status=201,
        missing=True,
        idempotency_key="required",
        examples=[OpenApiExample("19.99 by transfer", _TRANSFER, request_only=True)],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        values = self.body(OfflinePaymentSerializer)

        def work() -> Answer:
            try:
                payment = record_offline_payment(
                    account_id=account_id, **values, author=self.author, today=self.today, now=self.now
                )
            except PossibleDuplicate as refusal:
                raise PossibleDuplicate(refusal.detail, is_another=_CONFIRM) from refusal
            return Answer(201, PaymentSerializer(payment).data, location=f"/v1/payments/{payment.id}")

        return self.once(work, needs_key=MOVES_MONEY)


class PaymentEndpoint(Endpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ}

    @call(
        "get_payment",
        tag=TAG,
        summary="Get a payment",
        scope=Scope.LEDGER_READ,
        response=PaymentSerializer,
        missing=True,
    )
    def get(self, request: Request, payment_id: uuid.UUID) -> Response:
        payment = Payment.objects.filter(id=payment_id).first()
        if payment is None:
            raise UnknownPayment(f"There is no payment {payment_id}.")
        return Response(PaymentSerializer(payment).data)
