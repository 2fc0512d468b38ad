"""Accounts: who is billed."""

import uuid
from functools import partial
from typing import Any, ClassVar, cast

from django.db.models import QuerySet, Value
from django.db.models.functions import Lower
from django.db.models.lookups import Exact
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, extend_schema_field
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.account_changes import AccountChanges
from accounts.account_opening import NewAccount
from accounts.locked_accounts import get_account
from accounts.models import Account, Plan
from accounts.terms import on_plan
from api.endpoints import ListEndpoint
from api.filters import CharFilter, ChoiceFilter, DayFilter, FilterSet, ModelChoiceFilter, SinceFilter, UntilFilter
from api.idempotency import Answer
from api.models import Scope
from api.schema import call
from api.v1.account_answers import AccountSerializer, account_as_json, accounts_as_json
from api.v1.account_bodies import ChangeAccountSerializer, OpenAccountSerializer
from api.v1.account_calls import AccountCall
from api.v1.sign_ups import OpenedAccountSerializer, after_waiting, sign_up_as_json
from api.wait_parameter import PARAMETER, seconds_to_wait, wait_parameter
from payments.account_updates import update_account
from subscriptions.discounts import NewDiscount
from subscriptions.sign_up import Billing, sign_up

TAG = "Accounts"

NEEDS_KEY_OR_REFERENCE = (
    "If this request were sent twice, it would open two accounts: it needs an Idempotency-Key header or an "
    "external_reference."
)
NEEDS_KEY_WHERE_CLOSED = (
    'With on_decline "close", a decline frees the external_reference, and this request, sent twice, would open and '
    "charge a second account: it needs an Idempotency-Key header."
)
BY_API = "changed by API"
"""The reason of a change that names none."""


class AccountFilters(FilterSet):
    """Filters of the list of accounts."""

    status = ChoiceFilter(choices=Account.Status.choices)
    plan = extend_schema_field({"type": "string", "description": "The code of the plan in force today."})(
        ModelChoiceFilter(
            queryset=Plan.objects.all(),
            to_field_name="code",
            method="of_plan",
            error_messages={"invalid_choice": "There is no plan '%(value)s'."},
        )
    )
    external_reference = CharFilter()
    email = CharFilter(method="of_email", label="The e-mail address, in upper or lower case.")
    created_since = SinceFilter("created_at", label="Opened on this day or later.")
    created_until = UntilFilter("created_at", label="Opened on this day or earlier.")
    rebilling_date = DayFilter(label="The first day of the next period to charge.")

    def of_plan(self, accounts: QuerySet[Account], _: str, plan: Plan) -> QuerySet[Account]:
        """Those whose terms in force today are of the plan."""
        return on_plan(accounts, plan_id=plan.id, today=self.request.parser_context["view"].today)

    def of_email(self, accounts: QuerySet[Account], _: str, value: str) -> QuerySet[Account]:
        """Those of the address, as the index has it."""
        return accounts.filter(Exact(Lower("email"), Lower(Value(value))))


_ACCOUNT = {
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "plan": "pro-monthly",
    "external_reference": "crm-1815",
    "payment_customer": "cus_815",
    "payment_method": "pm_card",
    "address_line1": "12 St James's Square",
    "postal_code": "SW1Y 4JH",
    "city": "London",
    "country": "GB",
    "metadata": {"source": "website"},
}
_FIRST_INVOICE = {
    "id": "019a9c3e-8f00-7000-8000-000000000002",
    "number": "7K3M9Q2XAB-0001",
    "status": "OPEN",
    "total_minor": 1999,
    "outstanding_minor": 1999,
    "payment": {
        "id": "019a9c3e-8f00-7000-8000-000000000003",
        "status": "SUBMITTED",
        "decline_code": None,
        "client_secret": None,
    },
}
_OPENED = _ACCOUNT | {
    "id": "019a9c3e-8f00-7000-8000-000000000001",
    "status": "PENDING",
    "inactive_reason": None,
    "quantity": 1,
    "unit_amount_minor": 1999,
    "currency": "USD",
    "anchor_date": "2026-11-22",
    "rebilling_date": "2026-12-22",
    "pending_terms": None,
    "balance_minor": 1999,
    "credit_balance_minor": 0,
    "collection_method": "automatic",
    "net_days": 30,
    "payment_method_unusable": False,
    "on_decline": "dun",
    "address_line2": None,
    "region": None,
    "tax_id": None,
    "language": None,
    "tax_rate": None,
    "discount": None,
    "dunning_on": None,
    "trial_ends_on": None,
    "pending_cancellation": None,
    "pending_pause": None,
    "pending_resumption": None,
    "created_at": "2026-11-22T09:30:00Z",
    "first_invoice": _FIRST_INVOICE,
    "not_billed": None,
}


class AccountsEndpoint(ListEndpoint):
    scopes: ClassVar = {"GET": Scope.ACCOUNTS_READ, "POST": Scope.ACCOUNTS_WRITE}
    queryset = Account.objects.all()
    serializer_class = AccountSerializer
    filterset_class = AccountFilters
    post_parameters = (PARAMETER,)

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
        return accounts_as_json(page, today=self.today)

    @call(
        "open_account",
        tag=TAG,
        summary="Open an account",
        description="Where its first period begins today, it is invoiced and collected at once: `first_invoice`. "
        "Otherwise, or where `billing` says so, a sweep does. The request needs an Idempotency-Key or an "
        "`external_reference`: without either, a repeated request would open a second account. With `on_decline` "
        "`close` it needs the key: declined, the reference is free again. With `wait`, a repeated request waits again, "
        "and answers with what is known by then.",
        scope=Scope.ACCOUNTS_WRITE,
        request=OpenAccountSerializer,
        response=OpenedAccountSerializer,
        status=201,
        idempotency_key="optional",
        parameters=[
            wait_parameter(
                "Seconds to wait for the outcome of the first payment, at most. It answers as soon as that is known, "
                "or waits for the customer."
            )
        ],
        examples=[
            OpenApiExample("One unit, billed from today", _ACCOUNT, request_only=True),
            OpenApiExample("As opened", _OPENED, response_only=True),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        seconds = seconds_to_wait(request)
        values = self.body(OpenAccountSerializer)
        billing, given = values.pop("billing", Billing.NOW), values.pop("discount", None)
        new, discount = NewAccount(**values), NewDiscount(**given) if given else None

        def work() -> Answer:
            opened = sign_up(
                new=new, discount=discount, billing=billing, author=self.author, today=self.today, now=self.now
            )
            data = sign_up_as_json(opened, today=self.today)
            return Answer(201, data, location=f"/v1/accounts/{opened.account.id}")

        response = self.once(work, needs_key=_needs_key(new))
        return after_waiting(response, seconds=seconds, today=self.today)


def _needs_key(new: NewAccount) -> str:
    """Why opening it needs an Idempotency-Key; empty where its reference alone keeps it from being opened twice."""
    if new.on_decline == Account.OnDecline.CLOSE:
        return NEEDS_KEY_WHERE_CLOSED
    return "" if new.external_reference else NEEDS_KEY_OR_REFERENCE


class AccountEndpoint(AccountCall):
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
        return Response(account_as_json(get_account(account_id), today=self.today))

    @call(
        "change_account",
        tag=TAG,
        summary="Change an account",
        description="Its plan, quantity and price are its terms, which another call changes. Another customer or "
        "payment method is tried at once where an invoice was declined.",
        scope=Scope.ACCOUNTS_WRITE,
        request=ChangeAccountSerializer,
        response=AccountSerializer,
        missing=True,
        idempotency_key="optional",
        examples=[OpenApiExample("Another payment method", {"payment_method": "pm_2"}, request_only=True)],
    )
    def patch(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        values = self.body(ChangeAccountSerializer)
        reason = values.pop("reason", BY_API)
        changes = cast(AccountChanges, values)

        return self.account_after(
            partial(
                update_account, account_id=account_id, changes=changes, reason=reason, author=self.author, now=self.now
            )
        )
