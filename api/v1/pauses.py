"""Pausing and resuming accounts, and taking back what is pending."""

import uuid
from functools import partial
from typing import ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request

from api.fields import Choice, Day
from api.models import Scope
from api.schema import call
from api.v1.account_answers import AccountSerializer
from api.v1.account_calls import AccountCall
from api.v1.accounts import TAG
from api.v1.lifecycle import ReasonSerializer
from api.v1.new_periods import BilledAccountCall, BilledAccountSerializer
from subscriptions.effective_days import At
from subscriptions.pauses import pause_account, resume_account
from subscriptions.pending_changes import PendingChange, take_back


class PauseAccountSerializer(ReasonSerializer):
    """When the pause begins and ends."""

    at = Choice(
        At.choices,
        required=False,
        help_text="`period_end` (the default): from the end of the running period. `now`: at once.",
    )
    until = Day(
        required=False,
        allow_null=True,
        help_text="The day from which it is charged again. Default: none, until it is resumed.",
    )


class ResumeAccountSerializer(ReasonSerializer):
    """When the pause ends."""

    on = Day(
        required=False,
        allow_null=True,
        help_text="The day from which it is charged again, in place of the one that was set. Default: now.",
    )


class TakeBackSerializer(ReasonSerializer):
    """Which pending change to take back."""

    change = Choice(
        PendingChange.choices,
        help_text="`cancellation`; `pause`, with its end; or `resumption`: the pause then lasts until it is resumed.",
    )


class PauseAccountEndpoint(AccountCall):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "pause_account",
        tag=TAG,
        summary="Pause an account",
        description="No new period is charged until it is resumed. What it owes is still collected.",
        scope=Scope.ACCOUNTS_WRITE,
        request=PauseAccountSerializer,
        response=AccountSerializer,
        missing=True,
        idempotency_key="optional",
        examples=[
            OpenApiExample("Until April", {"reason": "Winter break.", "until": "2027-04-01"}, request_only=True),
        ],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        given = self.body(PauseAccountSerializer)

        change = partial(
            pause_account, account_id=account_id, **given, author=self.author, today=self.today, now=self.now
        )
        return self.account_after(change)


class ResumeAccountEndpoint(BilledAccountCall):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "resume_account",
        tag=TAG,
        summary="Resume a paused account",
        description="A running period goes on while an amount worth collecting of its invoice stays paid, applied "
        "from credit, or owed. Otherwise a new period begins on that day, and today is billed at once. Days between "
        "aren't charged.",
        scope=Scope.ACCOUNTS_WRITE,
        request=ResumeAccountSerializer,
        response=BilledAccountSerializer,
        missing=True,
        idempotency_key="optional",
        examples=[OpenApiExample("Back again", {"reason": "The season begins."}, request_only=True)],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        given = self.body(ResumeAccountSerializer)

        change = partial(
            resume_account, account_id=account_id, **given, author=self.author, today=self.today, now=self.now
        )
        return self.billed_account_after(change)


class TakeBackEndpoint(AccountCall):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "take_back_change",
        tag=TAG,
        summary="Take back a pending change",
        description="The account goes on as if it hadn't been asked for.",
        scope=Scope.ACCOUNTS_WRITE,
        request=TakeBackSerializer,
        response=AccountSerializer,
        missing=True,
        idempotency_key="optional",
        examples=[
            OpenApiExample(
                "The customer stays", {"change": "cancellation", "reason": "A better offer."}, request_only=True
            )
        ],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        given = self.body(TakeBackSerializer)

        change = partial(take_back, account_id=account_id, **given, author=self.author, today=self.today, now=self.now)
        return self.account_after(change)
