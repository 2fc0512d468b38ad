"""Plans: the catalog."""

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import MAX_INTERVAL_COUNT, Plan
from accounts.plans import MAX_TRIAL_DAYS, create_plan, plan_by_code, retire_plan
from api.endpoints import Body, EmptyBody, Endpoint, ListEndpoint
from api.fields import Amount, Choice, Currency, Movement, Text, WholeNumber
from api.idempotency import Answer
from api.models import Scope
from api.schema import call

TAG = "Plans"


class PlanSerializer(serializers.ModelSerializer[Plan]):
    """A price. It is never edited: retire it and create another one."""

    unit_amount_minor = Amount(help_text="The price of one unit for each interval.")
    interval_count = WholeNumber(read_only=True, minimum=1, maximum=MAX_INTERVAL_COUNT)
    trial_days = WholeNumber(read_only=True, minimum=0, maximum=MAX_TRIAL_DAYS)

    class Meta:
        model = Plan
        fields = (
            "code",
            "name",
            "currency",
            "unit_amount_minor",
            "interval_count",
            "interval_unit",
            "trial_days",
            "retired",
        )
        read_only_fields = fields


@extend_schema_field({"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$", "minLength": 1, "maxLength": 64})
class PlanCode(Text):
    """A slug."""


class CreatePlanSerializer(Body):
    """A plan to create."""

    code = PlanCode(max_length=64, help_text="Lower-case letters, digits, hyphens and underscores. Unique.")
    name = Text(max_length=200)
    currency = Currency(help_text="An ISO 4217 code.")
    unit_amount_minor = Movement(minimum=0, help_text="The price of one unit for each interval, in minor units.")
    interval_count = WholeNumber(
        minimum=1, maximum=MAX_INTERVAL_COUNT, help_text="How many interval units a period has."
    )
    interval_unit = Choice(Plan.Unit.choices)
    trial_days = WholeNumber(
        required=False, minimum=0, maximum=MAX_TRIAL_DAYS, help_text="Free days before the first period. Default: 0."
    )


_MONTHLY = {
    "code": "pro-monthly",
    "name": "Pro, monthly",
    "currency": "USD",
    "unit_amount_minor": 1999,
    "interval_count": 1,
    "interval_unit": "month",
}


class PlansEndpoint(ListEndpoint):
    scopes: ClassVar = {"GET": Scope.ACCOUNTS_READ, "POST": Scope.ACCOUNTS_WRITE}
    queryset = Plan.objects.all()
    serializer_class = PlanSerializer

    @call(
        "list_plans",
        tag=TAG,
        summary="List plans",
        description="Newest first, including retired ones.",
        scope=Scope.ACCOUNTS_READ,
        response=PlanSerializer,
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        return self.list(request)

    @call(
        "create_plan",
        tag=TAG,
        summary="Create a plan",
        scope=Scope.ACCOUNTS_WRITE,
        request=CreatePlanSerializer,
        response=PlanSerializer,
        status=201,
        idempotency_key="optional",
        examples=[
            OpenApiExample("19.99 USD a month", _MONTHLY, request_only=True),
            OpenApiExample("As created", _MONTHLY | {"trial_days": 0, "retired": False}, response_only=True),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        values = self.body(CreatePlanSerializer)

        def work() -> Answer:
            plan = create_plan(**values, now=self.now)
            return Answer(201, PlanSerializer(plan).data, location=f"/v1/plans/{plan.code}")

        return self.once(work)


class PlanEndpoint(Endpoint):
    scopes: ClassVar = {"GET": Scope.ACCOUNTS_READ}

    @call(
        "get_plan",
        tag=TAG,
        summary="Get a plan",
        scope=Scope.ACCOUNTS_READ,
        response=PlanSerializer,
        missing=True,
    )
    def get(self, request: Request, code: str) -> Response:
        return Response(PlanSerializer(plan_by_code(code)).data)


class RetirePlanEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "retire_plan",
        tag=TAG,
        summary="Retire a plan",
        description="No account can be opened on it any more. Its accounts are still billed. Retiring it again changes "
        "nothing.",
        scope=Scope.ACCOUNTS_WRITE,
        request=None,
        response=PlanSerializer,
        missing=True,
        idempotency_key="optional",
    )
    def post(self, request: Request, code: str) -> HttpResponse:
        self.body(EmptyBody)
        return self.once(lambda: Answer(200, PlanSerializer(retire_plan(code=code)).data))
