"""Payments: attempts to collect a charge, and their outcomes."""

import uuid
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.accounts import account_or_refuse
from api.endpoints import Body, EmptyBody, Endpoint, ListEndpoint
from api.fields import Amount, Movement, Text, TextOrNull
from api.idempotency import MOVES_MONEY, Answer
from api.models import Scope
from api.schema import call
from payments.gateways.configured import configured_gateway_name
from payments.models import Payment
from rebilling.dispatch import send_when_committed
from rebilling.receiving import LONGEST_REFERENCE, receive_payment
from rebilling.retries import UnknownPayment, retry_payment

TAG = "Payments"


class PaymentSerializer(serializers.ModelSerializer[Payment]):
    """One attempt to collect a charge at the gateway, or money received outside it (then `charge` is null)."""

    amount_minor = Amount(least=1)
    decline_code = TextOrNull(help_text="Why the gateway declined it.")
    gateway_reference = TextOrNull(help_text="The payment's name at the gateway, or on the bank statement.")

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
            "needs_person",
            "gateway",
            "gateway_reference",
            "submitted_at",
            "settled_at",
        )
        read_only_fields = fields


class ReceivePaymentSerializer(Body):
    """Money that was received outside the gateway."""

    amount_minor = Movement(help_text="In minor units of the account's currency.")
    reference = Text(
        max_length=LONGEST_REFERENCE, help_text="What the bank statement says; it becomes the `gateway_reference`."
    )
    reason = Text(max_length=500, help_text="How it came; it becomes the description of the ledger entry.")


_TRANSFER = {"amount_minor": 1999, "reference": "SEPA 2026-11-20 LOVELACE", "reason": "Paid by transfer."}


class AccountPaymentsEndpoint(ListEndpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ, "POST": Scope.LEDGER_WRITE}
    queryset = Payment.objects.all()
    serializer_class = PaymentSerializer

    def get_queryset(self) -> QuerySet[Payment]:
        return super().get_queryset().filter(account=account_or_refuse(self.kwargs["account_id"]))

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
        "receive_payment",
        tag=TAG,
        summary="Record a payment received outside the gateway",
        description="A transfer or a cheque, whose money is there. The account's unpaid charges are paid from it "
        "first; what is left goes to the next charges. Inactive accounts may pay, too.",
        scope=Scope.LEDGER_WRITE,
        request=ReceivePaymentSerializer,
        response=PaymentSerializer,
        status=201,
        missing=True,
        idempotency_key="required",
        examples=[OpenApiExample("19.99 by transfer", _TRANSFER, request_only=True)],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        values = self.body(ReceivePaymentSerializer)

        def work() -> Answer:
            payment = receive_payment(
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
        summary="Try a declined payment's charge again",
        description="At once, whatever its schedule says, and also when its retries are spent: a new payment for what "
        "is owed by then, after credits. It answers with that payment, SUBMITTED; look it up for its outcome.",
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
