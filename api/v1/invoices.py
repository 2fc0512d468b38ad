"""Invoices: what customers owe."""

import uuid
from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import EmptyBody, Endpoint, ListEndpoint
from api.filters import ChoiceFilter, DayFilter, FilterSet, FlagFilter, IdFilter, InvoiceOfRunFilter
from api.idempotency import MOVES_MONEY, Answer
from api.models import Scope
from api.schema import call
from api.v1.account_answers import AccountListEndpoint
from api.v1.invoice_answers import InvoiceSerializer, WholeInvoiceSerializer, invoice_as_json
from api.v1.payments import PaymentSerializer
from invoices.models import Invoice
from invoices.uncollected_invoices import uncollected
from payments.payment_requests import pay_invoice

TAG = "Invoices"


class AccountInvoiceFilters(FilterSet):
    """Filters of an account's invoices."""

    status = ChoiceFilter(choices=Invoice.Status.choices)
    issued_since = DayFilter("issued_on", "gte", label="Issued on this day or later.")
    issued_until = DayFilter("issued_on", "lte", label="Issued on this day or earlier.")

    uncollected = FlagFilter(
        uncollected,
        label="Whether nothing collects it by itself: it is OPEN and `automatic`, no payment is in flight, and no step "
        "of dunning comes.",
    )


class InvoiceFilters(AccountInvoiceFilters):
    """Filters of the invoices of all accounts."""

    account = IdFilter("account_id", label="The id of the account.")
    run = InvoiceOfRunFilter("id")


class InvoicesEndpoint(ListEndpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ}
    queryset = Invoice.objects.all()
    serializer_class = InvoiceSerializer
    filterset_class = InvoiceFilters

    @call(
        "list_invoices",
        tag=TAG,
        summary="List invoices",
        description="Of all accounts, newest first.",
        scope=Scope.LEDGER_READ,
        response=InvoiceSerializer,
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        return self.list(request)


class AccountInvoicesEndpoint(AccountListEndpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ}
    queryset = Invoice.objects.all()
    serializer_class = InvoiceSerializer
    filterset_class = AccountInvoiceFilters

    @call(
        "list_account_invoices",
        tag=TAG,
        summary="List an account's invoices",
        description="Newest first.",
        scope=Scope.LEDGER_READ,
        response=InvoiceSerializer,
        missing=True,
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        return self.list(request)


class InvoiceEndpoint(Endpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ}

    @call(
        "get_invoice",
        tag=TAG,
        summary="Get an invoice",
        description="With its lines, credit notes and payments, and what happened to it in words.",
        scope=Scope.LEDGER_READ,
        response=WholeInvoiceSerializer,
        missing=True,
    )
    def get(self, request: Request, invoice_id: uuid.UUID) -> Response:
        return Response(invoice_as_json(invoice_id, today=self.today))


class PayInvoiceEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.LEDGER_WRITE}

    @call(
        "pay_invoice",
        tag=TAG,
        summary="Collect an invoice now",
        description="Whatever the dunning schedule says, also when no step of it is left; it never counts as one. It "
        "submits a payment for what is outstanding. The response is that payment, SUBMITTED; get it again for its "
        "outcome.",
        scope=Scope.LEDGER_WRITE,
        request=None,
        response=PaymentSerializer,
        status=202,
        missing=True,
        idempotency_key="required",
    )
    def post(self, request: Request, invoice_id: uuid.UUID) -> HttpResponse:
        self.body(EmptyBody)

        def work() -> Answer:
            payment = pay_invoice(invoice_id=invoice_id, author=self.author, now=self.now)
            return Answer(202, PaymentSerializer(payment).data, location=f"/v1/payments/{payment.id}")

        return self.once(work, needs_key=MOVES_MONEY)
