"""Closing and reopening accounts, and billing what a closed one owes."""

import uuid
from typing import ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from accounts.reasons import MAX_REASON_LENGTH
from api.endpoints import Body, Endpoint
from api.fields import Text
from api.idempotency import MOVES_MONEY, Answer
from api.models import Scope
from api.schema import call
from api.v1.account_answers import AccountSerializer, account_as_json
from api.v1.accounts import TAG
from subscriptions.last_invoice import bill_debt
from subscriptions.lifecycle import close_account, reopen_account


class ReasonSerializer(Body):
    """The reason, which is recorded."""

    reason = Text(max_length=MAX_REASON_LENGTH)


class CloseAccountEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "close_account",
        tag=TAG,
        summary="Close an account",
        description="It isn't charged any more. What it owes is still collected.",
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
            account = close_account(
                account_id=account_id, reason=reason, author=self.author, today=self.today, now=self.now
            )
            return Answer(200, account_as_json(account, today=self.today))

        return self.once(work)


class ReopenAccountEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "reopen_account",
        tag=TAG,
        summary="Reopen an account",
        description="A running period goes on while an amount worth collecting of its invoice stays paid, applied "
        "from credit, or owed. Otherwise a new period begins today. Days between aren't billed.",
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
            return Answer(200, account_as_json(account, today=self.today))

        return self.once(work)


class LastInvoiceEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.LEDGER_WRITE}

    @call(
        "bill_debt",
        tag=TAG,
        summary="Bill the debt of an inactive account",
        description="An inactive account has no next invoice that would bring a balance below zero forward: this "
        "issues one now, and collects it. What is too small to collect is written off.",
        scope=Scope.LEDGER_WRITE,
        request=ReasonSerializer,
        response=AccountSerializer,
        missing=True,
        idempotency_key="required",
        examples=[OpenApiExample("A credit was taken back", {"reason": "Granted by mistake."}, request_only=True)],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        reason = self.body(ReasonSerializer)["reason"]

        def work() -> Answer:
            account = bill_debt(
                account_id=account_id, reason=reason, author=self.author, today=self.today, now=self.now
            )
            return Answer(200, account_as_json(account, today=self.today))

        return self.once(work, needs_key=MOVES_MONEY)
