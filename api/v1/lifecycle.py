"""Closing and reopening accounts."""

import uuid
from typing import ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from api.endpoints import Body, Endpoint
from api.fields import Text
from api.idempotency import Answer
from api.models import Scope
from api.schema import call
from api.v1.accounts import TAG, AccountSerializer, account_as_json
from subscriptions.lifecycle import close_account, reopen_account


class ReasonSerializer(Body):
    """The reason, which is recorded."""

    reason = Text(max_length=500)


class CloseAccountEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "close_account",
        tag=TAG,
        summary="Close an account",
        description="It isn't charged any more. Earlier charges are still collected.",
        scope=Scope.ACCOUNTS_WRITE,
        request=ReasonSerializer,
        response=AccountSerializer,
        missing=True,
        idempotency_key="optional",
        examples=[OpenApiExample("By request", {"reason": "The customer asked by phone."}, request_only=True)],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        reason = self.body(ReasonSerializer)["reason"]

        def work() -> Answer:
            account = close_account(account_id=account_id, reason=reason, author=self.author, now=self.now)
            return Answer(200, account_as_json(account))

        return self.once(work)


class ReopenAccountEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "reopen_account",
        tag=TAG,
        summary="Reopen an account",
        description="If a period that it was charged for is still running, billing goes on at the end of it. Otherwise "
        "its periods are counted from today.",
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
            return Answer(200, account_as_json(account))

        return self.once(work)
