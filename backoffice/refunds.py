"""Refunds, which are requested on a payment's page. Those that need review are resolved here."""

from typing import Any

from django.contrib import admin

from accounts.currencies import display
from backoffice.actions import ActingAdmin, Action, Caller
from backoffice.base import link, money
from backoffice.forms import RefundForm, RefundReferenceForm
from backoffice.links import link_to
from backoffice.mark_resolved import mark_resolved_action
from backoffice.tables import Table
from payments.models import Payment, Refund
from rebilling.messages.dispatch import look_up_again
from rebilling.refund_requests import left_to_refund, request_refund
from rebilling.reviews import book_late_refund, resolve_refund


def _refund(payment: Payment, data: dict[str, Any], caller: Caller) -> None:
    request_refund(
        payment_id=payment.id,
        amount_minor=data["amount"],
        reason=data["reason"],
        author=caller.author,
        today=caller.today,
        now=caller.now,
        request_key=f"staff:{data['submission']}",
    )


def _look_up(refund: Refund, data: dict[str, Any], caller: Caller) -> None:
    look_up_again(row=refund)


def _mark_succeeded(refund: Refund, data: dict[str, Any], caller: Caller) -> None:
    _resolve(refund, data, caller, sent=True)


def _mark_failed(refund: Refund, data: dict[str, Any], caller: Caller) -> None:
    _resolve(refund, data, caller, sent=False)


def _resolve(refund: Refund, data: dict[str, Any], caller: Caller, *, sent: bool) -> None:
    resolve_refund(
        refund_id=refund.id,
        sent=sent,
        reference=data.get("reference", ""),
        reason=data["reason"],
        author=caller.author,
        today=caller.today,
        now=caller.now,
    )


def _book_late(refund: Refund, data: dict[str, Any], caller: Caller) -> None:
    book_late_refund(
        refund_id=refund.id,
        reference=data["reference"],
        reason=data["reason"],
        author=caller.author,
        today=caller.today,
        now=caller.now,
    )


def _needs_review(refund: Refund) -> bool:
    return refund.needs_review and refund.status in Refund.IN_FLIGHT


REFUND = Action(
    name="refund",
    label="Refund this payment",
    explanation="The gateway sends this amount back. The account's free credit goes down by it. The remainder is "
    "credited, so that the customer doesn't owe it again. If the charge was wrong, reverse the charge first, then "
    "refund. A refund can't be reversed. The refund of an offline payment is only recorded here: send the money "
    "yourself.",
    done="The refund was requested. Its status is below, and will be known in a moment.",
    permission="refund_payment",
    offered=lambda payment: left_to_refund(payment) > 0,
    perform=_refund,
    form=RefundForm,
)
LOOK_UP = Action(
    name="look-up",
    label="Look up at the gateway",
    explanation="The refund is looked up at the gateway once more. Nothing is sent under another key.",
    done="The refund is being looked up. Reload this page in a moment.",
    permission="resolve_refund",
    offered=_needs_review,
    perform=_look_up,
)
MARK_SUCCEEDED = Action(
    name="mark-succeeded",
    label="Mark as succeeded",
    explanation="For a refund whose money was sent. Find it in the gateway's own records first: our refund id is in "
    "the metadata and is the idempotency key. The ledger gets a refund entry, which can't be reversed.",
    done="The refund was marked as succeeded.",
    permission="resolve_refund",
    offered=_needs_review,
    perform=_mark_succeeded,
    form=RefundReferenceForm,
)
MARK_FAILED = Action(
    name="mark-failed",
    label="Mark as failed",
    explanation="For a refund that sent no money. Check the gateway's own records first. The payment may then be "
    "refunded again under a new key: if the money was sent after all, the customer would get it twice.",
    done="The refund was marked as failed.",
    permission="resolve_refund",
    offered=_needs_review,
    perform=_mark_failed,
)
BOOK_LATE = Action(
    name="book-late",
    label="Book as a late refund",
    explanation="For a failed refund whose money the gateway sent after all. Find it in the gateway's own records "
    "first. The ledger gets it as another refund of the payment, with its credit, and this one stays FAILED. If the "
    "payment was refunded again meanwhile, it can't be booked: recover the money from the customer or the gateway.",
    done="The money was booked as another refund of the payment.",
    permission="resolve_refund",
    offered=lambda refund: refund.needs_review and refund.status == Refund.Status.FAILED,
    perform=_book_late,
    form=RefundReferenceForm,
)
MARK_RESOLVED = mark_resolved_action(
    permission="resolve_refund",
    how="This is for money that is back at the gateway. If the customer kept the money, book a late refund instead.",
)


def refunds_of(payment: Payment) -> Table:
    """All refunds of a payment: each reduces what is left to refund."""
    return Table(
        title="Refunds",
        columns=("Requested", "Status", "Amount", "Failure code", "Reason", "By"),
        rows=[
            (
                link_to(refund, label=f"{refund.submitted_at:%Y-%m-%d %H:%M}"),
                refund.status,
                display(amount_minor=refund.amount_minor, currency=refund.currency),
                refund.failure_code,
                refund.reason,
                refund.created_by,
            )
            for refund in payment.refunds.order_by("-id")
        ],
    )


@admin.register(Refund)
class RefundAdmin(ActingAdmin):
    list_display = ("id", "account_link", "status", "amount", "failure_code", "gateway", "submitted_at", "needs_review")
    list_filter = ("status", "needs_review", "gateway")
    list_select_related = ("payment__account",)
    search_fields = ("=gateway_reference", "=payment__account__external_reference")
    search_help_text = "An id, a gateway's reference or an account's external reference"
    fields = (
        "id",
        "account_link",
        "payment_link",
        "status",
        "amount",
        "reason",
        "created_by",
        "failure_code",
        "needs_review",
        "review_reason",
        "gateway",
        "gateway_reference",
        "submitted_at",
        "first_called_at",
        "leased_until",
        "completed_at",
    )
    page_actions = (LOOK_UP, MARK_SUCCEEDED, MARK_FAILED, BOOK_LATE, MARK_RESOLVED)
    linked_lookups = ("payment__account__id__exact",)

    payment_link = link("payment", description="payment")
    amount = money("amount_minor", description="amount")

    @admin.display(description="account")
    def account_link(self, refund: Refund) -> Any:
        return link_to(refund.payment.account)
