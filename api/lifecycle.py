"""Closing and reopening accounts."""

import uuid
from typing import ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from api.accounts import TAG, AccountSerializer, rendered_account
from api.endpoints import Body, Endpoint
from api.fields import Text
from api.idempotency import Answer
from api.models import Scope
from api.schema import call
from rebilling.lifecycle import close_account, reopen_account


class ReasonSerializer(Body):
    """Why it is done; kept for good."""

    reason = Text(max_length=500)


class CloseAccountEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "close_account",
        tag=TAG,
        summary="Close an account",
        description="It isn't charged any more. What it was charged before is still collected.",
        scope=Scope.ACCOUNTS_WRITE,
        request=ReasonSerializer,
        response=AccountSerializer,
        missing=True,
        idempotency_key="optional",
        examples=[OpenApiExample("Asked for", {"reason": "The customer asked by phone."}, request_only=True)],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        reason = self.body(ReasonSerializer)["reason"]

        def work() -> Answer:
            account = close_account(account_id=account_id, reason=reason, author=self.author, now=self.now)
            return Answer(200, rendered_account(account))

        return self.once(work)


class ReopenAccountEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "reopen_account",
        tag=TAG,
        summary="Reopen an account",
        description="While a period that it was charged for still runs it goes on at that period's end; otherwise its "
        "periods are counted from today.",
        scope=Scope.ACCOUNTS_WRITE,
        request=ReasonSerializer,
        response=AccountSerializer,
        missing=True,
        idempotency_key="optional",
        examples=[OpenApiExample("Back again", {"reason": "The customer came back."}, request_only=True)],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        reason = self.body(ReasonSerializer)["reason"]

        def work() -> Answer:
            account = reopen_account(
                account_id=account_id, reason=reason, author=self.author, today=self.today, now=self.now
            )
            return Answer(200, rendered_account(account))

        return self.once(work)
