"""Accounts: who is billed."""

import uuid
from typing import Any, ClassVar, cast

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.account_changes import AccountChanges, change_account
from accounts.account_opening import MAX_QUANTITY, AccountTerms, open_account
from accounts.amounts import MAX_BALANCE_MINOR
from accounts.locks import UnknownAccount
from accounts.models import Account, Plan
from api.endpoints import Body, Endpoint, ListEndpoint
from api.fields import Amount, ClearableText, Day, Email, Metadata, Movement, Text, TextOrNull, WholeNumber
from api.filters import CharFilter, ChoiceFilter, DayFilter, FilterSet, ModelChoiceFilter
from api.idempotency import Answer
from api.models import Scope
from api.schema import call
from ledger.balances import balances

TAG = "Accounts"

NEEDS_KEY_OR_REFERENCE = (
    "If this request were sent twice, it would open two accounts: it needs an Idempotency-Key header or an "
    "external_reference."
)


@extend_schema_field({"type": "string", "enum": Account.InactiveReason.values}, component_name="InactiveReason")
class InactiveReasonField(TextOrNull):
    """Why an account isn't billed, or null."""


class AccountSerializer(serializers.ModelSerializer[Account]):
    """One customer with one subscription."""

    # Balances come in the context, by account id, so that a list of accounts takes one statement for all of them.
    inactive_reason = InactiveReasonField(help_text="Why an INACTIVE account isn't billed.")
    plan = serializers.CharField(source="plan.code", read_only=True, help_text="The plan's code.")
    quantity = WholeNumber(read_only=True, least=1, most=MAX_QUANTITY)
    unit_amount_minor = Amount(help_text="The price of one unit for each interval, fixed when the account was opened.")
    balance_minor = serializers.SerializerMethodField(help_text="What it owes now. Below zero, it has credit.")
    payment_customer = TextOrNull(help_text="The customer at the payment gateway.")
    payment_method = TextOrNull(help_text="The payment method at the payment gateway.")
    metadata = Metadata(read_only=True)

    class Meta:
        model = Account
        fields = (
            "id",
            "status",
            "inactive_reason",
            "name",
            "email",
            "plan",
            "quantity",
            "unit_amount_minor",
            "currency",
            "anchor_date",
            "rebilling_date",
            "balance_minor",
            "external_reference",
            "payment_customer",
            "payment_method",
            "metadata",
            "created_at",
        )
        read_only_fields = fields

    @extend_schema_field(Amount(least=-MAX_BALANCE_MINOR))
    def get_balance_minor(self, account: Account) -> int:
        return int(self.context["balances"][account.id])


class OpenAccountSerializer(Body):
    """An account to open."""

    name = Text(max_length=200)
    email = Email(max_length=254)
    plan = Text(max_length=64, help_text="The code of a plan that is not retired.")
    quantity = WholeNumber(required=False, least=1, most=MAX_QUANTITY, help_text="Units to charge for. Default: 1.")
    unit_amount_minor = Movement(
        required=False,
        allow_null=True,
        least=0,
        help_text="A negotiated price in minor units. Default: the plan's. Quantity times price has the same maximum.",
    )
    anchor_date = Day(
        required=False,
        allow_null=True,
        help_text="The day from which periods are counted. Default: today, after any trial.",
    )
    rebilling_date = Day(
        required=False,
        allow_null=True,
        help_text="The first day of the first period to charge. Default: the first period start on or after today. "
        "If it is in the past, the periods since then are charged.",
    )
    external_reference = Text(
        required=False, allow_null=True, max_length=200, help_text="Your own id of the account. Unique."
    )
    payment_customer = ClearableText(max_length=200)
    payment_method = ClearableText(max_length=200)
    metadata = Metadata(required=False, help_text="An object of at most 50 keys and 16 KB.")


class ChangeAccountSerializer(Body):
    """The fields to change. Others don't change."""

    name = Text(required=False, max_length=200)
    email = Email(required=False, max_length=254)
    quantity = WholeNumber(required=False, least=1, most=MAX_QUANTITY, help_text="From the next period on.")
    payment_customer = ClearableText(max_length=200)
    payment_method = ClearableText(max_length=200)
    metadata = Metadata(required=False, help_text="Replaces the whole object.")


class AccountFilters(FilterSet):
    """Filters of the list of accounts."""

    status = ChoiceFilter(choices=Account.Status.choices)
    plan = ModelChoiceFilter(
        queryset=Plan.objects.all(), to_field_name="code", label="The code of a plan.", field_name="plan"
    )
    external_reference = CharFilter()
    rebilling_date = DayFilter(label="The first day of the next period to charge.")

    class Meta:
        model = Account
        fields = ()


def get_account(account_id: uuid.UUID) -> Account:
    """The account with its plan. Raises `UnknownAccount`."""
    account = Account.objects.select_related("plan").filter(id=account_id).first()
    if account is None:
        raise UnknownAccount(f"There is no account {account_id}.")
    return account


def account_as_json(account: Account) -> dict[str, Any]:
    """The account as JSON, with its balance."""
    owed = balances(account_ids=[account.id])
    return AccountSerializer(account, context={"balances": owed}).data


_ACCOUNT = {
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "plan": "pro-monthly",
    "external_reference": "crm-1815",
    "payment_customer": "cus_815",
    "payment_method": "pm_card",
    "metadata": {"source": "website"},
}
_OPENED = _ACCOUNT | {
    "id": "019a9c3e-8f00-7000-8000-000000000001",
    "status": "PENDING",
    "inactive_reason": None,
    "quantity": 1,
    "unit_amount_minor": 1999,
    "currency": "USD",
    "anchor_date": "2026-11-22",
    "rebilling_date": "2026-11-22",
    "balance_minor": 0,
    "created_at": "2026-11-22T09:30:00Z",
}


class AccountsEndpoint(ListEndpoint):
    scopes: ClassVar = {"GET": Scope.ACCOUNTS_READ, "POST": Scope.ACCOUNTS_WRITE}
    queryset = Account.objects.select_related("plan")
    serializer_class = AccountSerializer
    filterset_class = AccountFilters

    @call(
        "list_accounts",
        tag=TAG,
        summary="List accounts",
        description="Newest first.",
        scope=Scope.ACCOUNTS_READ,
        response=AccountSerializer,
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        return self.list(request)

    def rendered(self, page: Any) -> Any:
        owed = balances(account_ids=[account.id for account in page])
        return AccountSerializer(page, many=True, context={"balances": owed}).data

    @call(
        "open_account",
        tag=TAG,
        summary="Open an account",
        description="It is charged for the first time on its rebilling date. The request needs an Idempotency-Key or "
        "an `external_reference`: without either, a repeated request would open a second account.",
        scope=Scope.ACCOUNTS_WRITE,
        request=OpenAccountSerializer,
        response=AccountSerializer,
        status=201,
        idempotency_key="optional",
        examples=[
            OpenApiExample("One unit, billed from today", _ACCOUNT, request_only=True),
            OpenApiExample("As opened", _OPENED, response_only=True),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        terms = AccountTerms(**self.body(OpenAccountSerializer))

        def work() -> Answer:
            account = open_account(terms=terms, author=self.author, today=self.today, now=self.now)
            return Answer(201, account_as_json(account), location=f"/v1/accounts/{account.id}")

        return self.once(work, needs_key="" if terms.external_reference else NEEDS_KEY_OR_REFERENCE)


class AccountEndpoint(Endpoint):
    scopes: ClassVar = {"GET": Scope.ACCOUNTS_READ, "PATCH": Scope.ACCOUNTS_WRITE}

    @call(
        "get_account",
        tag=TAG,
        summary="Get an account",
        scope=Scope.ACCOUNTS_READ,
        response=AccountSerializer,
        missing=True,
    )
    def get(self, request: Request, account_id: uuid.UUID) -> Response:
        return Response(account_as_json(get_account(account_id)))

    @call(
        "change_account",
        tag=TAG,
        summary="Change an account",
        description="Its plan, price and dates don't change.",
        scope=Scope.ACCOUNTS_WRITE,
        request=ChangeAccountSerializer,
        response=AccountSerializer,
        missing=True,
        idempotency_key="optional",
        examples=[OpenApiExample("Three units from the next period on", {"quantity": 3}, request_only=True)],
    )
    def patch(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        changes = cast(AccountChanges, self.body(ChangeAccountSerializer))
        return self.once(lambda: Answer(200, account_as_json(change_account(account_id=account_id, changes=changes))))
