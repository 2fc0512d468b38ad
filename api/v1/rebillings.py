"""Rebillings: the claims on billing periods."""

import uuid
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.account_opening import MAX_QUANTITY
from api.endpoints import Endpoint, ListEndpoint
from api.fields import Amount, SignedAmount, TextOrNull, WholeNumber
from api.filters import ChoiceFilter, DayFilter, FilterSet, IdFilter
from api.models import Scope
from api.schema import call
from rebilling.models import ParkReason, Rebilling, SkipReason
from rebilling.parked_periods import UnknownRebilling

TAG = "Rebillings"


@extend_schema_field(
    {"type": "string", "enum": [*SkipReason.values, *ParkReason.values]}, component_name="RebillingReason"
)
class ReasonField(TextOrNull):
    """Why a period was skipped or parked, or null."""


class RebillingSerializer(serializers.ModelSerializer[Rebilling]):
    """The claim on one billing period of one account. What it costs was fixed when it was found due."""

    ended_on = serializers.DateField(
        read_only=True, help_text="The day after its last one; earlier than its end where it was cut short."
    )
    period_end = serializers.DateField(read_only=True, help_text="The day after its last one.")
    reason = ReasonField(help_text="Why it was skipped or parked.")
    detail = TextOrNull(help_text="More about that.")
    quantity = WholeNumber(read_only=True, minimum=1, maximum=MAX_QUANTITY)
    unit_amount_minor = Amount()
    discount_minor = Amount(help_text="What its discount takes off.")
    amount_minor = Amount(help_text="After the discount, and before a tax that is added to it.")
    items_minor = SignedAmount(
        allow_null=True,
        help_text="What the one-off items come to that were to be invoiced with it when it was found due; null where "
        "there were none.",
    )
    tax_rate = serializers.UUIDField(
        source="tax_rate_id", read_only=True, allow_null=True, help_text="The id of the rate of its tax, or null."
    )

    class Meta:
        model = Rebilling
        fields = (
            "id",
            "run",
            "account",
            "period_start",
            "period_end",
            "ended_on",
            "status",
            "reason",
            "detail",
            "description",
            "quantity",
            "unit_amount_minor",
            "discount_minor",
            "amount_minor",
            "tax_rate",
            "items_minor",
            "currency",
            "invoice",
            "due_since",
        )
        read_only_fields = fields


class RebillingFilters(FilterSet):
    """Filters of the rebillings of all accounts."""

    status = ChoiceFilter(choices=Rebilling.Status.choices)
    account = IdFilter("account_id", label="The id of the account.")
    run = IdFilter("run_id", label="The id of the run that found it due.")
    period_start_since = DayFilter("period_start", "gte", label="Periods that start on this day or later.")
    period_start_until = DayFilter("period_start", "lte", label="Periods that start on this day or earlier.")


class RebillingsEndpoint(ListEndpoint):
    scopes: ClassVar = {"GET": Scope.RUNS_READ}
    queryset = Rebilling.objects.all()
    serializer_class = RebillingSerializer
    filterset_class = RebillingFilters

    @call(
        "list_rebillings",
        tag=TAG,
        summary="List rebillings",
        description="Of all accounts, newest first.",
        scope=Scope.RUNS_READ,
        response=RebillingSerializer,
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        return self.list(request)


class RebillingEndpoint(Endpoint):
    scopes: ClassVar = {"GET": Scope.RUNS_READ}

    @call(
        "get_rebilling",
        tag=TAG,
        summary="Get a rebilling",
        scope=Scope.RUNS_READ,
        response=RebillingSerializer,
        missing=True,
    )
    def get(self, request: Request, rebilling_id: uuid.UUID) -> Response:
        rebilling = Rebilling.objects.filter(id=rebilling_id).first()
        if rebilling is None:
            raise UnknownRebilling(f"There is no rebilling {rebilling_id}.")
        return Response(RebillingSerializer(rebilling).data)
