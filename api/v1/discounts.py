"""The discount of an account: giving it one, and ending it."""

import uuid
from functools import partial
from typing import ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from api.models import Scope
from api.schema import call
from api.v1.account_answers import AccountSerializer
from api.v1.account_bodies import GiveDiscountSerializer
from api.v1.account_calls import AccountCall
from api.v1.accounts import TAG
from api.v1.lifecycle import ReasonSerializer
from subscriptions.discounts import end_discount, give_discount


class DiscountEndpoint(AccountCall):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "give_discount",
        tag=TAG,
        summary="Give an account a discount",
        description="It is taken off the periods that start today or later and weren't found due before. An account "
        "has one discount at a time.",
        scope=Scope.ACCOUNTS_WRITE,
        request=GiveDiscountSerializer,
        response=AccountSerializer,
        missing=True,
        idempotency_key="optional",
        examples=[
            OpenApiExample(
                "A quarter off three periods",
                {"percent": "25", "periods": 3, "reason": "Spring offer"},
                request_only=True,
            ),
            OpenApiExample("5.00 off for good", {"amount_minor": 500, "reason": "A charity"}, request_only=True),
        ],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        values = self.body(GiveDiscountSerializer)

        change = partial(
            give_discount, account_id=account_id, **values, author=self.author, today=self.today, now=self.now
        )
        return self.account_after(change)


class EndDiscountEndpoint(AccountCall):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "end_discount",
        tag=TAG,
        summary="End an account's discount",
        description="It is taken off no period that is found due from now on.",
        scope=Scope.ACCOUNTS_WRITE,
        request=ReasonSerializer,
        response=AccountSerializer,
        missing=True,
        idempotency_key="optional",
        examples=[OpenApiExample("Given by mistake", {"reason": "Given to the wrong customer."}, request_only=True)],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        reason = self.body(ReasonSerializer)["reason"]

        change = partial(end_discount, account_id=account_id, reason=reason, author=self.author, now=self.now)
        return self.account_after(change)
