"""Payments and their outcomes."""

import uuid
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Body, EmptyBody, Endpoint, ListEndpoint
from api.fields import Amount, Movement, Text, TextOrNull
from api.idempotency import MOVES_MONEY, Answer
from api.models import Scope
from api.schema import call
from api.v1.accounts import get_account
from payments.gateways.configured import configured_gateway_name
from payments.models import Payment
from rebilling.dunning import UnknownPayment, retry_payment
from rebilling.messages.dispatch import send_when_committed
from rebilling.offline_payments import MAX_REFERENCE_LENGTH, record_offline_payment

TAG = "Payments"


class PaymentSerializer(serializers.ModelSerializer[Payment]):
    """One attempt to collect a charge at the gateway, or money received offline (then `charge` is null)."""

    amount_minor = Amount(least=1)
    decline_code = TextOrNull(help_text="Why the gateway declined it.")
    gateway_reference = TextOrNull(help_text="The payment's id at the gateway, or its reference on the bank statement.")

    class Meta:
        model = Payment
        fields = (
            "id",
            "account",
            "charge",
            "amount_minor",
            "currency",
            "status",
            "decline_code",
            "needs_review",
            "gateway",
            "gateway_reference",
            "submitted_at",
            "completed_at",
        )
        read_only_fields = fields


class OfflinePaymentSerializer(Body):
    """Money received offline."""

    amount_minor = Movement(help_text="In minor units of the account's currency.")
    reference = Text(
        max_length=MAX_REFERENCE_LENGTH, help_text="What the bank statement says. It becomes the `gateway_reference`."
    )
    reason = Text(max_length=500, help_text="How it was paid. It becomes the description of the ledger entry.")


_TRANSFER = {"amount_minor": 1999, "reference": "SEPA 2026-11-20 LOVELACE", "reason": "Paid by transfer."}


class AccountPaymentsEndpoint(ListEndpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ, "POST": Scope.LEDGER_WRITE}
    queryset = Payment.objects.all()
    serializer_class = PaymentSerializer

    def get_queryset(self) -> QuerySet[Payment]:
        return super().get_queryset().filter(account=get_account(self.kwargs["account_id"]))

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
        description="A transfer or a check that you have received. It pays the account's unpaid charges first. The "
        "remainder goes to its next charges. Inactive accounts may pay, too.",
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
            payment = record_offline_payment(
                account_id=account_id, **values, author=self.author, today=self.today, now=self.now
            )
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


class RetryPaymentEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.LEDGER_WRITE}

    @call(
        "retry_payment",
        tag=TAG,
        summary="Retry a declined payment",
        description="At once, whatever the retry schedule says, also when no retry is left. It submits a new payment "
        "for what is still unpaid of the charge, after credits. The response is that payment, SUBMITTED; get it again "
        "for its outcome.",
        scope=Scope.LEDGER_WRITE,
        request=None,
        response=PaymentSerializer,
        status=202,
        missing=True,
        idempotency_key="required",
    )
    def post(self, request: Request, payment_id: uuid.UUID) -> HttpResponse:
        self.body(EmptyBody)

        def work() -> Answer:
            payment = retry_payment(payment_id=payment_id, gateway=configured_gateway_name(), now=self.now)
            send_when_committed(payment_id=payment.id)
            return Answer(202, PaymentSerializer(payment).data, location=f"/v1/payments/{payment.id}")

        return self.once(work, needs_key=MOVES_MONEY)
