"""Goodwill credit."""

import uuid
from typing import ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from accounts.reasons import MAX_REASON_LENGTH
from api.endpoints import Body, Endpoint
from api.fields import Movement, Text
from api.idempotency import MOVES_MONEY, Answer
from api.models import Scope
from api.schema import call
from api.v1.ledger import TAG, EntrySerializer, entry_written
from invoices.credits import grant_credit


class GrantCreditSerializer(Body):
    """Credit to grant."""

    amount_minor = Movement(help_text="In minor units of the account's currency.")
    reason = Text(max_length=MAX_REASON_LENGTH)


class CreditsEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.LEDGER_WRITE}

    @call(
        "grant_credit",
        tag=TAG,
        summary="Grant credit",
        description="It is applied to the account's open invoices at once, oldest first, but for those with a payment "
        "in flight. The remainder goes to its next invoices.",
        scope=Scope.LEDGER_WRITE,
        request=GrantCreditSerializer,
        response=EntrySerializer,
        status=201,
        missing=True,
        idempotency_key="required",
        examples=[OpenApiExample("5.00", {"amount_minor": 500, "reason": "An hour of outage."}, request_only=True)],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        values = self.body(GrantCreditSerializer)

        def work() -> Answer:
            entry = grant_credit(account_id=account_id, **values, author=self.author, today=self.today, now=self.now)
            return entry_written(entry)

        return self.once(work, needs_key=MOVES_MONEY)
