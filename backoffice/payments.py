"""Payments and their outcomes. Those that need review are resolved here."""

from typing import Any, ClassVar

from django.contrib import admin

from backoffice.actions import ActingAdmin, Action, Caller
from backoffice.base import flag, link, money
from backoffice.choice_columns import CAUSES
from backoffice.forms import PaymentReferenceForm
from backoffice.lists import titled
from backoffice.refunds import REFUND, refunds_of
from backoffice.resolution import mark_resolved_action
from backoffice.run_filters import PaymentsOfRun
from payments.late_money import book_late_payment, may_be_booked_late
from payments.messages.dispatch import look_up_now
from payments.models import Payment, Refund
from payments.refund_requests import was_reversed
from payments.reversed_money import record_reversed_payment
from payments.reviews import resolve_payment


def _look_up(payment: Payment, data: dict[str, Any], caller: Caller) -> None:
    look_up_now(row=payment)


def _mark_succeeded(payment: Payment, data: dict[str, Any], caller: Caller) -> None:
    resolve_payment(
        payment_id=payment.id,
        taken=True,
        reference=data["reference"],
        **caller.signed(data),
    )


def _mark_declined(payment: Payment, data: dict[str, Any], caller: Caller) -> None:
    resolve_payment(
        payment_id=payment.id,
        taken=False,
        reference="",
        **caller.signed(data),
    )


def _book_late(payment: Payment, data: dict[str, Any], caller: Caller) -> None:
    book_late_payment(
        payment_id=payment.id,
        reference=data["reference"],
        **caller.signed(data),
    )


def _record_reversed(payment: Payment, data: dict[str, Any], caller: Caller) -> None:
    record_reversed_payment(payment_id=payment.id, **caller.signed(data))


def _has_its_money(payment: Payment) -> bool:
    """Some of it is left: it wasn't refunded, no refund is on its way, and nobody took it back."""
    if payment.status != Payment.Status.SUCCEEDED or payment.refunded_minor == payment.amount_minor:
        return False
    return not was_reversed(payment) and not payment.refunds.filter(status__in=Refund.IN_FLIGHT).exists()


LOOK_UP = Action(
    name="look-up",
    label="Look up at the gateway",
    explanation="The payment is looked up at the gateway once more. Nothing is collected under another key.",
    done="The payment is being looked up. Reload this page in a moment.",
    permission="resolve_payment",
    offered=lambda payment: payment.awaits_review,
    perform=_look_up,
)
MARK_SUCCEEDED = Action(
    name="mark-succeeded",
    label="Mark as succeeded",
    explanation="For a payment whose money was taken. Find it in the gateway's own records first: our payment id is in "
    "the metadata and is the idempotency key. The ledger gets a payment entry, which can't be reversed.",
    done="The payment was marked as succeeded.",
    permission="resolve_payment",
    offered=lambda payment: payment.awaits_review,
    perform=_mark_succeeded,
    form=PaymentReferenceForm,
)
MARK_DECLINED = Action(
    name="mark-declined",
    label="Mark as declined",
    explanation="For a payment that took no money. Check the gateway's own records first. What is outstanding of the "
    "invoice is submitted anew under a new key: if the money was taken after all, the customer would pay twice. It "
    "doesn't count as a decline.",
    done="The payment was marked as declined.",
    permission="resolve_payment",
    offered=lambda payment: payment.awaits_review,
    perform=_mark_declined,
)
TAKEN_BACK = Action(
    name="taken-back",
    label="Record that it was taken back",
    explanation="For money that the customer's bank took back: a dispute that was lost, a debit that was returned. Or "
    "for an offline payment that was recorded by mistake. What was refunded before isn't taken back again. The invoice "
    "is open again, and credit that came from this payment is gone. It can't be undone: if the money comes again, "
    "record an offline payment.",
    done="Recorded.",
    permission="record_reversed_money",
    offered=_has_its_money,
    perform=_record_reversed,
)
BOOK_LATE = Action(
    name="book-late",
    label="Book as a late payment",
    explanation="For a declined payment whose money the gateway took after all. Find it in the gateway's own records "
    "first. It is booked as another payment of the invoice, and this one stays DECLINED. What the invoice doesn't ask "
    "for any more is credit: refund it from the credit if the customer shall have it back.",
    done="The money was booked as another payment.",
    permission="resolve_payment",
    offered=may_be_booked_late,
    perform=_book_late,
    form=PaymentReferenceForm,
)
MARK_RESOLVED = mark_resolved_action(
    permission="resolve_payment",
    moved="To keep it, book a late payment instead; or send it back at the gateway.",
    not_moved="Fix the cause, use 'Collect now' on the invoice",
)


@admin.register(Payment)
class PaymentAdmin(ActingAdmin):
    list_display = (
        "id",
        "account_link",
        "invoice_link",
        "status",
        "amount",
        "decline_code",
        "gateway",
        "submitted_at",
        "needs_attention",
    )
    list_filter = (
        "status",
        ("needs_review", titled("needs attention")),
        "cause",
        "gateway",
        "submitted_at",
        PaymentsOfRun,
    )
    list_select_related = ("account", "invoice")
    search_fields = ("=gateway_reference", "=account__external_reference", "invoice__number__exact")
    search_help_text = "An id, a gateway's reference, an account's external reference or an invoice's number"
    fields = (
        "id",
        "account_link",
        "invoice_link",
        "cause",
        "status",
        "amount",
        "excess",
        "refunded",
        "decline_code",
        "needs_attention",
        "review_reason",
        "resolution",
        "resolved_by",
        "customer",
        "payment_method",
        "gateway",
        "gateway_reference",
        "submitted_at",
        "first_called_at",
        "leased_until",
        "completed_at",
        "created_by",
    )
    page_actions = (REFUND, TAKEN_BACK, LOOK_UP, MARK_SUCCEEDED, MARK_DECLINED, BOOK_LATE, MARK_RESOLVED)
    linked_lookups = ("account__id__exact", "invoice__id__exact")
    words: ClassVar = {"cause": CAUSES}

    account_link = link("account", description="account")
    invoice_link = link("invoice", description="invoice")
    amount = money("amount_minor", description="amount")
    excess = money("excess_minor", description="became credit")
    refunded = money("refunded_minor", description="refunded")
    needs_attention = flag("needs_review", description="needs attention")

    def page_context(self, row: Payment) -> dict[str, Any]:
        return {"tables": [refunds_of(row)]}
