"""Tax rates: what accounts can be taxed at."""

import uuid
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import TaxRate
from accounts.tax_rates import MAX_EXEMPTION_LENGTH, MAX_NAME_LENGTH, create_tax_rate, tax_rate_by_id
from api.endpoints import Body, Endpoint, ListEndpoint
from api.fields import ClearableText, Percent, Text, TextOrNull, YesOrNo
from api.idempotency import Answer
from api.models import Scope
from api.schema import call

TAG = "Tax rates"


class TaxRateSerializer(serializers.ModelSerializer[TaxRate]):
    """A tax at a rate. It is never edited: create another one."""

    percent = Percent(read_only=True, help_text="Of the price without tax.")
    exemption_reason = TextOrNull(help_text="Why nothing is taxed, where the rate is 0.")

    class Meta:
        model = TaxRate
        fields = ("id", "name", "percent", "inclusive", "exemption_reason", "created_at")
        read_only_fields = fields


class CreateTaxRateSerializer(Body):
    """A tax rate to create."""

    name = Text(max_length=MAX_NAME_LENGTH, help_text="As invoices show it, like VAT.")
    percent = Percent(help_text="Of the price without tax: from 0 to 100, with at most three decimal places.")
    inclusive = YesOrNo(
        required=False, help_text="Whether prices contain the tax. Default: false, and it is added to them."
    )
    exemption_reason = ClearableText(
        max_length=MAX_EXEMPTION_LENGTH, help_text="Why nothing is taxed. A rate of 0 needs one, and no other has one."
    )


_VAT = {"name": "VAT", "percent": "21", "inclusive": False}


class TaxRatesEndpoint(ListEndpoint):
    scopes: ClassVar = {"GET": Scope.ACCOUNTS_READ, "POST": Scope.ACCOUNTS_WRITE}
    queryset = TaxRate.objects.all()
    serializer_class = TaxRateSerializer

    @call(
        "list_tax_rates",
        tag=TAG,
        summary="List tax rates",
        description="Newest first. The default of the settings is among them from its first use on.",
        scope=Scope.ACCOUNTS_READ,
        response=TaxRateSerializer,
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        return self.list(request)

    @call(
        "create_tax_rate",
        tag=TAG,
        summary="Create a tax rate",
        description="Accounts name it as their `tax_rate`. The same rate again is refused.",
        scope=Scope.ACCOUNTS_WRITE,
        request=CreateTaxRateSerializer,
        response=TaxRateSerializer,
        status=201,
        idempotency_key="optional",
        examples=[
            OpenApiExample("21 percent, added to prices", _VAT, request_only=True),
            OpenApiExample(
                "Nothing, for a reason",
                {"name": "VAT", "percent": "0", "exemption_reason": "Reverse charge"},
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        values = self.body(CreateTaxRateSerializer)

        def work() -> Answer:
            rate = create_tax_rate(**values, now=self.now)
            return Answer(201, TaxRateSerializer(rate).data, location=f"/v1/tax-rates/{rate.id}")

        return self.once(work)


class TaxRateEndpoint(Endpoint):
    scopes: ClassVar = {"GET": Scope.ACCOUNTS_READ}

    @call(
        "get_tax_rate",
        tag=TAG,
        summary="Get a tax rate",
        scope=Scope.ACCOUNTS_READ,
        response=TaxRateSerializer,
        missing=True,
    )
    def get(self, request: Request, tax_rate_id: uuid.UUID) -> Response:
        return Response(TaxRateSerializer(tax_rate_by_id(tax_rate_id)).data)
