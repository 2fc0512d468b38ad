"""The ledger: entries and reversals."""

import uuid
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Endpoint, ListEndpoint
from api.fields import Amount
from api.filters import ChoiceFilter, DayFilter, FilterSet, IdFilter, InvoiceOfRunFilter
from api.idempotency import MOVES_MONEY, Answer
from api.models import Scope
from api.schema import call
from api.v1.account_answers import AccountListEndpoint
from api.v1.lifecycle import ReasonSerializer
from invoices.credits import UnknownEntry, reverse_entry
from ledger.models import Book, Entry, EntryType

TAG = "Ledger"


@extend_schema_field({"type": "string", "enum": Book.values}, component_name="Book")
class BookField(serializers.CharField):
    """A side of an entry."""


class EntrySerializer(serializers.ModelSerializer[Entry]):
    """One double entry: the amount moves from the credit book to the debit book. It never changes."""

    amount_minor = Amount(minimum=1)
    debit = BookField(read_only=True)
    credit = BookField(read_only=True)
    invoice = serializers.UUIDField(source="invoice_id", read_only=True, allow_null=True)
    line = serializers.UUIDField(
        source="line_id", read_only=True, allow_null=True, help_text="The line that a charge is for."
    )
    payment = serializers.UUIDField(source="payment_id", read_only=True, allow_null=True)
    refund = serializers.UUIDField(source="refund_id", read_only=True, allow_null=True)

    class Meta:
        model = Entry
        fields = (
            "id",
            "account",
            "type",
            "amount_minor",
            "currency",
            "debit",
            "credit",
            "effective_on",
            "period_start",
            "period_end",
            "invoice",
            "line",
            "payment",
            "refund",
            "description",
            "idempotency_key",
            "reverses",
            "created_at",
            "created_by",
        )
        read_only_fields = fields


def entry_written(entry: Entry) -> Answer:
    """The answer of a call that has written this entry."""
    return Answer(201, EntrySerializer(entry).data, location=f"/v1/ledger/{entry.id}")


class AccountEntryFilters(FilterSet):
    """Filters of an account's ledger."""

    type = ChoiceFilter(choices=EntryType.choices)
    invoice = IdFilter("invoice_id", label="The id of the invoice.")
    effective_since = DayFilter("effective_on", "gte", label="Effective on this day or later.")
    effective_until = DayFilter("effective_on", "lte", label="Effective on this day or earlier.")


class EntryFilters(AccountEntryFilters):
    """Filters of the ledger of all accounts."""

    account = IdFilter("account_id", label="The id of the account.")
    run = InvoiceOfRunFilter("invoice_id")


class EntriesEndpoint(ListEndpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ}
    queryset = Entry.objects.all()
    serializer_class = EntrySerializer
    filterset_class = EntryFilters

    @call(
        "list_ledger",
        tag=TAG,
        summary="List ledger entries",
        description="Of all accounts, newest first, by creation.",
        scope=Scope.LEDGER_READ,
        response=EntrySerializer,
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        return self.list(request)


class AccountEntriesEndpoint(AccountListEndpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ}
    queryset = Entry.objects.all()
    serializer_class = EntrySerializer
    filterset_class = AccountEntryFilters

    @call(
        "list_account_ledger",
        tag=TAG,
        summary="List an account's ledger entries",
        description="Newest first, by creation.",
        scope=Scope.LEDGER_READ,
        response=EntrySerializer,
        missing=True,
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        return self.list(request)


class EntryEndpoint(Endpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ}

    @call(
        "get_ledger_entry",
        tag=TAG,
        summary="Get a ledger entry",
        scope=Scope.LEDGER_READ,
        response=EntrySerializer,
        missing=True,
    )
    def get(self, request: Request, entry_id: uuid.UUID) -> Response:
        entry = Entry.objects.filter(id=entry_id).first()
        if entry is None:
            raise UnknownEntry(f"There is no ledger entry {entry_id}.")
        return Response(EntrySerializer(entry).data)


class ReversalsEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.LEDGER_WRITE}

    @call(
        "reverse_ledger_entry",
        tag=TAG,
        summary="Reverse a ledger entry",
        description="A credit or a write-off can be reversed, once. Correct an invoice with a credit note, and money "
        "with a refund or a payment. Credit that was used makes the account's credit balance negative: its next "
        "invoice brings that forward.",
        scope=Scope.LEDGER_WRITE,
        request=ReasonSerializer,
        response=EntrySerializer,
        status=201,
        missing=True,
        idempotency_key="required",
        examples=[OpenApiExample("A mistake", {"reason": "Granted to the wrong account."}, request_only=True)],
    )
    def post(self, request: Request, entry_id: uuid.UUID) -> HttpResponse:
        reason = self.body(ReasonSerializer)["reason"]

        def work() -> Answer:
            entry = reverse_entry(entry_id=entry_id, reason=reason, author=self.author, today=self.today, now=self.now)
            return entry_written(entry)

        return self.once(work, needs_key=MOVES_MONEY)
