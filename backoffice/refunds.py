"""Refunds, which are requested on a payment's page. Those that need review are resolved here."""

from typing import Any

from django.contrib import admin

from accounts.currencies import display
from backoffice.actions import ActingAdmin, Action, Caller
from backoffice.base import flag, link, money
from backoffice.forms import RefundForm, RefundReferenceForm
from backoffice.links import link_to
from backoffice.lists import titled
from backoffice.resolution import mark_resolved_action
from backoffice.run_filters import RefundsOfRun
from backoffice.tables import Table
from invoices.models import CreditNote
from payments.late_money import book_late_refund
from payments.messages.dispatch import look_up_now
from payments.models import Payment, Refund
from payments.refund_requests import refundable, request_refund
from payments.reversed_money import came_back, record_reversed_refund
from payments.reviews import resolve_refund


def _refund(payment: Payment, data: dict[str, Any], caller: Caller) -> None:
    request_refund(
        payment_id=payment.id,
        amount_minor=data["amount"],
        **caller.signed(data),
        source=data["source"],
        refund_id=data["submission"],
    )


def _look_up(refund: Refund, data: dict[str, Any], caller: Caller) -> None:
    look_up_now(row=refund)


def _mark_succeeded(refund: Refund, data: dict[str, Any], caller: Caller) -> None:
    _resolve(refund, data, caller, sent=True)


def _mark_failed(refund: Refund, data: dict[str, Any], caller: Caller) -> None:
    _resolve(refund, data, caller, sent=False)


def _resolve(refund: Refund, data: dict[str, Any], caller: Caller, *, sent: bool) -> None:
    resolve_refund(
        refund_id=refund.id,
        sent=sent,
        reference=data.get("reference", ""),
        **caller.signed(data),
    )


def _book_late(refund: Refund, data: dict[str, Any], caller: Caller) -> None:
    book_late_refund(
        refund_id=refund.id,
        reference=data["reference"],
        **caller.signed(data),
    )


def _record_reversed(refund: Refund, data: dict[str, Any], caller: Caller) -> None:
    record_reversed_refund(refund_id=refund.id, **caller.signed(data))


REFUND = Action(
    name="refund",
    label="Refund this payment",
    explanation="The gateway sends this amount back. From the payment, its invoice gets a credit note for the same "
    "amount, so that the customer doesn't owe it again. From the credit, the account's own money with us is paid out. "
    "A refund can't be undone. The refund of an offline payment is only recorded here: send the money yourself.",
    done="The refund was requested. Its status is below, and will be known in a moment.",
    permission="refund_payment",
    offered=lambda payment: any(refundable(payment).values()),
    perform=_refund,
    form=RefundForm,
)
LOOK_UP = Action(
    name="look-up",
    label="Look up at the gateway",
    explanation="The refund is looked up at the gateway once more. Nothing is sent under another key.",
    done="The refund is being looked up. Reload this page in a moment.",
    permission="resolve_refund",
    offered=lambda refund: refund.awaits_review,
    perform=_look_up,
)
MARK_SUCCEEDED = Action(
    name="mark-succeeded",
    label="Mark as succeeded",
    explanation="For a refund whose money was sent. Find it in the gateway's own records first: our refund id is in "
    "the metadata and is the idempotency key. The ledger gets a refund entry, which can't be reversed.",
    done="The refund was marked as succeeded.",
    permission="resolve_refund",
    offered=lambda refund: refund.awaits_review,
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
    offered=lambda refund: refund.awaits_review,
    perform=_mark_failed,
)
BOOK_LATE = Action(
    name="book-late",
    label="Book as a late refund",
    explanation="For a failed refund whose money the gateway sent after all. Find it in the gateway's own records "
    "first. It is booked as another refund of the payment, and this one stays FAILED. If the "
    "payment was refunded again meanwhile, it can't be booked: recover the money from the customer or the gateway.",
    done="The money was booked as another refund of the payment.",
    permission="resolve_refund",
    offered=lambda refund: refund.needs_review and refund.status == Refund.Status.FAILED,
    perform=_book_late,
    form=RefundReferenceForm,
)
CAME_BACK = Action(
    name="came-back",
    label="Record that it came back",
    explanation="For a refund that didn't reach the customer, and whose money is back at the gateway. It becomes the "
    "account's credit. It can't be undone.",
    done="Recorded.",
    permission="record_reversed_money",
    offered=lambda refund: refund.status == Refund.Status.SUCCEEDED and not came_back(refund),
    perform=_record_reversed,
)
MARK_RESOLVED = mark_resolved_action(
    permission="resolve_refund",
    moved="This is for money that is back at the gateway. If the customer kept the money, book a late refund instead.",
    not_moved="Fix the cause, refund the payment again",
)


def refunds_of(payment: Payment) -> Table:
    """All refunds of a payment: each reduces what is left to refund."""
    return Table(
        title="Refunds",
        columns=("Requested", "Status", "Amount", "From", "Failure code", "Reason", "By"),
        rows=[
            (
                link_to(refund, label=f"{refund.submitted_at:%Y-%m-%d %H:%M}"),
                refund.status,
                display(amount_minor=refund.amount_minor, currency=refund.currency),
                refund.source,
                refund.failure_code,
                refund.reason,
                refund.created_by,
            )
            for refund in payment.refunds.order_by("-id")
        ],
    )


@admin.register(Refund)
class RefundAdmin(ActingAdmin):
    list_display = (
        "id",
        "account_link",
        "status",
        "amount",
        "source",
        "failure_code",
        "gateway",
        "submitted_at",
        "needs_attention",
    )
    list_filter = (
        "status",
        ("needs_review", titled("needs attention")),
        "source",
        "gateway",
        "submitted_at",
        RefundsOfRun,
    )
    list_select_related = ("account",)
    search_fields = ("=gateway_reference", "=account__external_reference")
    search_help_text = "An id, a gateway's reference or an account's external reference"
    fields = (
        "id",
        "account_link",
        "payment_link",
        "source",
        "credit_note_link",
        "status",
        "amount",
        "reason",
        "created_by",
        "failure_code",
        "needs_attention",
        "review_reason",
        "resolution",
        "resolved_by",
        "gateway",
        "gateway_reference",
        "submitted_at",
        "first_called_at",
        "leased_until",
        "completed_at",
    )
    page_actions = (LOOK_UP, MARK_SUCCEEDED, MARK_FAILED, BOOK_LATE, CAME_BACK, MARK_RESOLVED)
    linked_lookups = ("account__id__exact", "payment__invoice__id__exact")

    account_link = link("account", description="account")
    payment_link = link("payment", description="payment")
    amount = money("amount_minor", description="amount")

    needs_attention = flag("needs_review", description="needs attention")

    @admin.display(description="credit note")
    def credit_note_link(self, refund: Refund) -> Any:
        return link_to(CreditNote.objects.filter(refund_id=refund.id).first())
