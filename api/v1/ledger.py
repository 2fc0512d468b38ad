"""The ledger: entries, balances, credits and reversals."""

import uuid
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.amounts import MAX_BALANCE_MINOR
from accounts.billing_calendar import DayOutOfRange, in_range
from api.endpoints import Body, Endpoint, ListEndpoint
from api.fields import Amount, Movement, Text, day_from
from api.filters import ChoiceFilter, DayFilter, FilterSet
from api.idempotency import MOVES_MONEY, Answer
from api.models import Scope
from api.schema import DAY, DAYS, call
from api.v1.accounts import get_account
from api.v1.lifecycle import ReasonSerializer
from ledger.balances import balance
from ledger.models import Book, Entry, EntryType
from rebilling.adjustments import UnknownEntry, grant_credit, reverse_entry

TAG = "Ledger"


@extend_schema_field({"type": "string", "enum": Book.values}, component_name="Book")
class BookField(serializers.CharField):
    """A side of an entry."""


class EntrySerializer(serializers.ModelSerializer[Entry]):
    """One double entry: the amount moves from the credit book to the debit book. It never changes."""

    amount_minor = Amount(least=1)
    debit = BookField(read_only=True)
    credit = BookField(read_only=True)
    payment = serializers.UUIDField(source="payment_id", read_only=True, allow_null=True)

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
            "payment",
            "description",
            "idempotency_key",
            "reverses",
            "created_at",
            "created_by",
        )
        read_only_fields = fields


class BalanceSerializer(serializers.Serializer[Any]):
    """What an account owes. Below zero, it has credit."""

    account = serializers.UUIDField()
    as_of = serializers.DateField(allow_null=True, help_text="The balance is as of the end of this day; null for now.")
    balance_minor = Amount(least=-MAX_BALANCE_MINOR)
    currency = serializers.CharField()


class GrantCreditSerializer(Body):
    """Credit to grant."""

    amount_minor = Movement(help_text="In minor units of the account's currency.")
    reason = Text(max_length=500)


class EntryFilters(FilterSet):
    """Filters of an account's ledger."""

    type = ChoiceFilter(choices=EntryType.choices)
    effective_on_after = DayFilter("effective_on", "gte", label="Effective on this day or later.")
    effective_on_before = DayFilter("effective_on", "lte", label="Effective on this day or earlier.")

    class Meta:
        model = Entry
        fields = ()


class AccountEntriesEndpoint(ListEndpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ}
    queryset = Entry.objects.all()
    serializer_class = EntrySerializer
    filterset_class = EntryFilters

    def get_queryset(self) -> QuerySet[Entry]:
        return super().get_queryset().filter(account=get_account(self.kwargs["account_id"]))

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


class BalanceEndpoint(Endpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ}
    query_parameters: ClassVar = ("as_of",)

    @call(
        "get_account_balance",
        tag=TAG,
        summary="Get an account's balance",
        description="What it owes now, or owed at the end of a day, by the effective dates of its entries.",
        scope=Scope.LEDGER_READ,
        response=BalanceSerializer,
        missing=True,
        parameters=[OpenApiParameter("as_of", DAY, description=f"The day. Default: now. {DAYS}")],
        examples=[
            OpenApiExample(
                "End of November",
                {
                    "account": "019a9c3e-8f00-7000-8000-000000000001",
                    "as_of": "2026-11-30",
                    "balance_minor": 1999,
                    "currency": "USD",
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request, account_id: uuid.UUID) -> Response:
        as_of = _as_of(request)
        account = get_account(account_id)
        owed = balance(account_id=account.id, as_of=as_of)
        answer = {"account": account.id, "as_of": as_of, "balance_minor": owed, "currency": account.currency}
        return Response(BalanceSerializer(answer).data)


def _as_of(request: Request) -> Any:
    text = request.query_params.get("as_of")
    if text is None:
        return None
    day = day_from(text)
    if day is None:
        raise ValidationError({"as_of": ["Must be a date, YYYY-MM-DD."]})
    try:
        return in_range(day)
    except DayOutOfRange as error:
        raise ValidationError({"as_of": [f"{error}."]}) from None


class CreditsEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.LEDGER_WRITE}

    @call(
        "grant_credit",
        tag=TAG,
        summary="Grant credit",
        description="The credit pays the account's unpaid charges first. The remainder goes to its next charges.",
        scope=Scope.LEDGER_WRITE,
        request=GrantCreditSerializer,
        response=EntrySerializer,
        status=201,
        missing=True,
        idempotency_key="required",
        examples=[OpenApiExample("5.00", {"amount_minor": 500, "reason": "An hour of outage."}, request_only=True)],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        values = self.body(GrantCreditSerializer)

        def work() -> Answer:
            entry = grant_credit(account_id=account_id, **values, author=self.author, today=self.today, now=self.now)
            return Answer(201, EntrySerializer(entry).data, location=f"/v1/ledger/{entry.id}")

        return self.once(work, needs_key=MOVES_MONEY)


class ReversalsEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.LEDGER_WRITE}

    @call(
        "reverse_ledger_entry",
        tag=TAG,
        summary="Reverse a ledger entry",
        description="A charge, a credit, a write-off or a reversal can be reversed once. A payment or a refund can't: "
        "send or receive the money instead.",
        scope=Scope.LEDGER_WRITE,
        request=ReasonSerializer,
        response=EntrySerializer,
        status=201,
        missing=True,
        idempotency_key="required",
        examples=[OpenApiExample("A mistake", {"reason": "Charged for a month of outage."}, request_only=True)],
    )
    def post(self, request: Request, entry_id: uuid.UUID) -> HttpResponse:
        reason = self.body(ReasonSerializer)["reason"]

        def work() -> Answer:
            entry = reverse_entry(entry_id=entry_id, reason=reason, author=self.author, today=self.today, now=self.now)
            return Answer(201, EntrySerializer(entry).data, location=f"/v1/ledger/{entry.id}")

        return self.once(work, needs_key=MOVES_MONEY)
