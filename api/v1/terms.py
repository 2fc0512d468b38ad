"""Changing what an account is billed: its terms."""

import uuid
from functools import partial
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request

from accounts.account_opening import MAX_QUANTITY
from accounts.reasons import MAX_REASON_LENGTH
from api.endpoints import Body, Endpoint
from api.fields import Amount, Choice, Day, Movement, SignedAmount, Text, WholeNumber, WordOrDay, YesOrNo
from api.idempotency import MOVES_MONEY, Answer
from api.models import Scope
from api.schema import call
from api.v1.account_answers import AccountSerializer, AgreedTermsSerializer
from api.v1.account_calls import AccountCall
from api.v1.accounts import TAG
from api.v1.lifecycle import ReasonSerializer
from api.v1.new_periods import NewPeriodSerializer, new_period_contents
from subscriptions.agreed_terms import Effective, TermsChanges
from subscriptions.effective_days import At
from subscriptions.prorations import BilledChange
from subscriptions.terms_changes import TermsChange, change_terms
from subscriptions.terms_withdrawals import withdraw_terms

PRORATION_MODES = [(word, word) for word in ("invoice", "next_invoice", "none")]


class ChangeTermsSerializer(Body):
    """What to change of the terms. What isn't named stays."""

    plan = Text(required=False, max_length=64, help_text="The code of a plan in the account's currency.")
    quantity = WholeNumber(required=False, minimum=1, maximum=MAX_QUANTITY)
    unit_amount_minor = Movement(
        required=False, minimum=0, help_text="A negotiated price. Default: with another plan its price, else the same."
    )
    anchor_date = Day(
        required=False,
        help_text="Counts periods anew from this day, which is the first day of the new terms: the billing day moves. "
        "Today or later; the period that runs on that day is cut, and its rest credited.",
    )
    effective = WordOrDay(
        At.values,
        required=False,
        help_text="From when: `now`, `period_end`, or the first day of a later period. With another interval, or an "
        "`anchor_date`, any later day. Default: the `anchor_date`, else `now`.",
    )
    proration = Choice(
        PRORATION_MODES,
        required=False,
        help_text="Of a change now, `invoice` (the default) bills the days left of the running period anew, at once; "
        "`next_invoice` has the next invoice bill them, by two items; `none` leaves the period as it was billed.",
    )
    dry_run = YesOrNo(required=False, help_text="Answer what the change would bill, and change nothing.")
    reason = Text(max_length=MAX_REASON_LENGTH)


class ProrationLineSerializer(serializers.Serializer[Any]):
    """One amount of the change: below zero, what is given back for days that aren't used."""

    description = serializers.CharField(source="line.description")
    quantity = WholeNumber(source="line.quantity", read_only=True, minimum=1, maximum=MAX_QUANTITY)
    unit_amount_minor = Amount(source="line.unit_amount_minor")
    discount_minor = Amount(source="line.discount_minor")
    amount_minor = SignedAmount(source="line.amount_minor", help_text="After the discount.")
    tax_rate = serializers.UUIDField(source="line.tax_rate_id", allow_null=True, help_text="The id of its rate.")
    tax_minor = SignedAmount()
    total_minor = SignedAmount(help_text="With its tax.")
    period_start = serializers.DateField(source="line.period_start")
    period_end = serializers.DateField(source="line.period_end", help_text="The day after the last one.")


class CreditedInvoiceSerializer(serializers.Serializer[Any]):
    """A credit note of the change: what it takes off which invoice."""

    id = serializers.UUIDField(allow_null=True, help_text="The credit note's. Null in the answer of a dry run.")
    invoice = serializers.UUIDField()
    amount_minor = Amount(minimum=1)
    from_outstanding_minor = Amount()
    to_balance_minor = Amount()


class BilledChangeSerializer(serializers.Serializer[Any]):
    """What is billed for the running period because of the change."""

    credit_minor = Amount(help_text="Given back for the days that aren't used, with its tax.")
    charge_minor = Amount(help_text="Charged for the days left, with its tax.")
    net_minor = SignedAmount(
        help_text="Charge less credit, with what had waited of earlier changes: to be paid, or, below zero, credited.",
    )
    lines = ProrationLineSerializer(many=True)
    invoice = serializers.UUIDField(allow_null=True, help_text="Where more is to be paid. Null in a dry run.")
    credit_notes = CreditedInvoiceSerializer(many=True, help_text="Where less is to be paid.")
    items = serializers.ListField(
        child=serializers.UUIDField(),
        help_text="The items that wait for the next invoice instead. Empty in a dry run.",
    )


class TermsChangeSerializer(serializers.Serializer[Any]):
    """A change of terms: before, after, and what was billed at once."""

    account = serializers.UUIDField()
    dry_run = serializers.BooleanField()
    currency = serializers.CharField()
    before = AgreedTermsSerializer()
    after = AgreedTermsSerializer()
    rebilling_date = serializers.DateField(help_text="The first day of the next period to charge.")
    proration = BilledChangeSerializer(
        allow_null=True,
        help_text="What was billed now. In a dry run of a later day within the running period, what would be credited "
        "on that day, if nothing else changes until then.",
    )
    new_period = NewPeriodSerializer(allow_null=True, help_text="The period that begins today, or null: none does.")


class TermsEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "change_terms",
        tag=TAG,
        summary="Change an account's terms",
        description="Its plan, quantity or price. Of a change now, the rest of the running period is credited at what "
        "was billed for it and charged at the new price: more to pay is an invoice that is collected at once, less is "
        "credit notes. The period has to be charged, with no payment of it in flight. Another interval, or an "
        "`anchor_date`, ends the period that runs on that day, credits its rest, and begins a new one; one that begins "
        "today is billed at once. Terms of a later day are pending until then; meanwhile other changes of terms are "
        "refused. A dry run needs no Idempotency-Key.",
        scope=Scope.ACCOUNTS_WRITE,
        request=ChangeTermsSerializer,
        response=TermsChangeSerializer,
        missing=True,
        idempotency_key="required",
        examples=[
            OpenApiExample("Two more seats", {"quantity": 5, "reason": "Two people joined."}, request_only=True),
            OpenApiExample(
                "A smaller plan from the next period on",
                {"plan": "basic", "effective": "period_end", "reason": "The customer asked."},
                request_only=True,
            ),
            OpenApiExample(
                "Another billing day",
                {"anchor_date": "2026-02-15", "reason": "The salary comes on the 15th."},
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        values = self.body(ChangeTermsSerializer)
        dry_run: bool = values.pop("dry_run", False)
        reason: str = values.pop("reason")
        effective: Effective = values.pop("effective", values.get("anchor_date", "now"))
        proration = values.pop("proration", "invoice")
        changes = TermsChanges(**values)

        def work() -> Answer:
            change = change_terms(
                account_id=account_id,
                changes=changes,
                effective=effective,
                proration=proration,
                dry_run=dry_run,
                reason=reason,
                author=self.author,
                today=self.today,
                now=self.now,
            )
            return Answer(200, _as_json(change, dry_run=dry_run))

        return self.once(work, needs_key="" if dry_run else MOVES_MONEY)


class WithdrawTermsEndpoint(AccountCall):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "withdraw_terms",
        tag=TAG,
        summary="Withdraw pending terms",
        description="The terms in force stay. Possible until the day before the pending ones would be in force.",
        scope=Scope.ACCOUNTS_WRITE,
        request=ReasonSerializer,
        response=AccountSerializer,
        missing=True,
        idempotency_key="optional",
        examples=[OpenApiExample("Stays after all", {"reason": "The customer stays on Pro."}, request_only=True)],
    )
    def post(self, request: Request, account_id: uuid.UUID, terms_id: uuid.UUID) -> HttpResponse:
        reason = self.body(ReasonSerializer)["reason"]
        change = partial(
            withdraw_terms,
            account_id=account_id,
            terms_id=terms_id,
            reason=reason,
            author=self.author,
            today=self.today,
            now=self.now,
        )
        return self.account_after(change)


def _as_json(change: TermsChange, *, dry_run: bool) -> Any:
    after = change.after._replace(id=None) if dry_run else change.after
    shown = {
        "account": change.account_id,
        "dry_run": dry_run,
        "currency": change.currency,
        "before": change.before,
        "after": after,
        "rebilling_date": change.rebilling_date,
        "proration": _billed(change.billed, dry_run=dry_run) if change.billed else None,
        "new_period": new_period_contents(change.new_period, dry_run=dry_run),
    }
    return TermsChangeSerializer(shown).data


def _billed(billed: BilledChange, *, dry_run: bool) -> dict[str, Any]:
    row = billed.proration
    return {
        "credit_minor": row.credit_total_minor,
        "charge_minor": row.charge_total_minor,
        "net_minor": row.net_minor,
        "lines": billed.lines,
        "items": [] if dry_run else [item.id for item in billed.items],
        "invoice": None if dry_run else billed.invoice_id,
        "credit_notes": [
            {
                "id": None if dry_run else note.id,
                "invoice": note.invoice_id,
                "amount_minor": note.amount_minor,
                "from_outstanding_minor": note.from_outstanding_minor,
                "to_balance_minor": note.to_balance_minor,
            }
            for note in billed.credit_notes
        ],
    }
