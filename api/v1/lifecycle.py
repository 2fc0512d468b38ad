"""Closing and reopening accounts, and billing what a closed one owes."""

import uuid
from functools import partial
from typing import ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from accounts.reasons import MAX_REASON_LENGTH
from api.endpoints import Body, Endpoint
from api.fields import Choice, SignedAmount, Text, WordOrDay, YesOrNo
from api.idempotency import MOVES_MONEY, Answer
from api.models import Scope
from api.schema import call
from api.v1.account_answers import AccountSerializer, account_as_json
from api.v1.account_calls import AccountCall
from api.v1.accounts import TAG
from api.v1.new_periods import BilledAccountCall, BilledAccountSerializer
from invoices.models import Item
from subscriptions.effective_days import At
from subscriptions.last_invoice import bill_debt
from subscriptions.lifecycle import close_account, reopen_account
from subscriptions.running_period import PeriodRefund


class ReasonSerializer(Body):
    """The reason, which is recorded."""

    reason = Text(max_length=MAX_REASON_LENGTH)


class CloseAccountSerializer(ReasonSerializer):
    """When to close the account, and what to give back."""

    at = WordOrDay(
        At.values,
        required=False,
        help_text="`now` (the default), `period_end` (the end of the running period), or a day from today on: periods "
        "that start before it are charged whole.",
    )
    refund = Choice(
        PeriodRefund.choices,
        required=False,
        help_text="Of the running period, where it is closed now: nothing (`none`, the default), the share of the days "
        "left (`prorated`), or all (`full`). Needs the scope `ledger:write` and an Idempotency-Key.",
    )
    collect = YesOrNo(
        required=False,
        help_text="Whether items that wait, and a credit balance below zero, are billed on a last invoice (the "
        "default). False, where it is closed now: items are removed and the debt is written off. That needs the scope "
        "`ledger:write`.",
    )


class RemovedItemSerializer(serializers.ModelSerializer[Item]):
    """An item of which the rest is never billed."""

    amount_minor = SignedAmount(help_text="What it came to. Below zero it was a deduction.")
    invoiced_minor = SignedAmount(help_text="What invoices have of it, the last one included. The rest was removed.")

    class Meta:
        model = Item
        fields = ("id", "description", "amount_minor", "invoiced_minor")
        read_only_fields = fields


class ClosedAccountSerializer(AccountSerializer):
    """An account that was closed or is to be, and what was removed because of it."""

    removed_items = RemovedItemSerializer(
        many=True,
        read_only=True,
        help_text="Items that waited, and that the last invoice doesn't have, or not whole: what a deduction has left "
        "is dropped, what a change of terms gives back by one becomes credit. With a refund, what waits of the running "
        "period is netted with it; without `collect`, all items are removed. Empty where it is to be closed later.",
    )

    class Meta(AccountSerializer.Meta):
        fields = (*AccountSerializer.Meta.fields, "removed_items")  # type: ignore[assignment]  # one more
        read_only_fields = fields  # type: ignore[assignment]


class CloseAccountEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "close_account",
        tag=TAG,
        summary="Close an account",
        description="It isn't charged any more, from now, from the end of its running period or from a day on. What it "
        "owes is still collected. What is refunded goes to what is outstanding of the period's invoice, then back to "
        "its payments; what came from the credit balance, or was paid offline, becomes credit. What waits for the "
        "next invoice is billed on a last one; what a deduction has left then is dropped, as `removed_items` says.",
        scope=Scope.ACCOUNTS_WRITE,
        request=CloseAccountSerializer,
        response=ClosedAccountSerializer,
        missing=True,
        idempotency_key="optional",
        examples=[
            OpenApiExample("By request", {"reason": "The customer asked by phone."}, request_only=True),
            OpenApiExample(
                "At the end of the month that is paid", {"reason": "Moving on.", "at": "period_end"}, request_only=True
            ),
            OpenApiExample(
                "Now, with the rest of the month", {"reason": "It was down.", "refund": "prorated"}, request_only=True
            ),
        ],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        given = self.body(CloseAccountSerializer)
        moves_money = given.get("refund", PeriodRefund.NONE) != PeriodRefund.NONE
        if moves_money and Scope.LEDGER_WRITE not in self.api_key.scopes:
            raise PermissionDenied(f"With a refund, this key lacks the scope {Scope.LEDGER_WRITE}.")
        if not given.get("collect", True) and Scope.LEDGER_WRITE not in self.api_key.scopes:
            raise PermissionDenied(f"Without collecting, this key lacks the scope {Scope.LEDGER_WRITE}.")

        def work() -> Answer:
            closed = close_account(account_id=account_id, **given, author=self.author, today=self.today, now=self.now)
            removed = RemovedItemSerializer(closed.removed_items, many=True).data
            return Answer(200, account_as_json(closed.account, today=self.today) | {"removed_items": removed})

        return self.once(work, needs_key=MOVES_MONEY if moves_money else "")


class ReopenAccountEndpoint(BilledAccountCall):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "reopen_account",
        tag=TAG,
        summary="Reopen an account",
        description="A running period goes on while an amount worth collecting of its invoice stays paid, applied "
        "from credit, or owed. Otherwise a new period begins today, and is billed at once. Days between aren't billed.",
        scope=Scope.ACCOUNTS_WRITE,
        request=ReasonSerializer,
        response=BilledAccountSerializer,
        missing=True,
        idempotency_key="optional",
        examples=[OpenApiExample("Back again", {"reason": "The customer came back."}, request_only=True)],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        reason = self.body(ReasonSerializer)["reason"]

        change = partial(
            reopen_account, account_id=account_id, reason=reason, author=self.author, today=self.today, now=self.now
        )
        return self.billed_account_after(change)


class LastInvoiceEndpoint(AccountCall):
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

        change = partial(
            bill_debt, account_id=account_id, reason=reason, author=self.author, today=self.today, now=self.now
        )
        return self.account_after(change, needs_key=MOVES_MONEY)
