"""Payments: attempts to collect a charge, and their outcomes."""

import uuid
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.refusals import Missing
from api.accounts import account_or_refuse
from api.endpoints import Endpoint, ListEndpoint
from api.fields import TextOrNull, WholeNumber
from api.models import Scope
from api.schema import call
from payments.models import Payment

TAG = "Payments"


class UnknownPayment(Missing):
    code = "unknown-payment"


class PaymentSerializer(serializers.ModelSerializer[Payment]):
    """One attempt to collect a charge at the gateway, or money received outside it (then `charge` is null)."""

    amount_minor = WholeNumber(read_only=True)
    decline_code = TextOrNull(help_text="Why the gateway declined it.")
    gateway_reference = TextOrNull(help_text="The payment's name at the gateway.")

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


class AccountPaymentsEndpoint(ListEndpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ}
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
