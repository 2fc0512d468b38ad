"""What an account owes."""

import datetime
import uuid
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.billing_calendar import DayOutOfRange, in_range
from accounts.locked_accounts import get_account
from api.endpoints import Endpoint
from api.fields import SignedAmount, day_from
from api.models import Scope
from api.schema import DAY, DAYS, call
from api.v1.ledger import TAG
from ledger.balances import balance


class BalanceSerializer(serializers.Serializer[Any]):
    """What an account owes. Below zero, it has credit."""

    account = serializers.UUIDField()
    as_of = serializers.DateField(allow_null=True, help_text="The balance is as of the end of this day; null for now.")
    balance_minor = SignedAmount()
    currency = serializers.CharField()


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


def _as_of(request: Request) -> datetime.date | None:
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
