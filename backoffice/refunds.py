"""Refunds: requested on a payment's page; those that need a person are settled here."""

from typing import Any

from django.contrib import admin

from accounts.currencies import display
from backoffice.actions import Act, ActingAdmin, Action
from backoffice.base import link, money
from backoffice.forms import RefundForm, SentForm
from backoffice.links import link_to
from backoffice.putting_right import put_right_action
from backoffice.tables import Table
from payments.models import Payment, Refund
from rebilling.dispatch import ask_again
from rebilling.refunding import left_to_refund, request_refund
from rebilling.resolving import book_late_refund, resolve_refund


def _refund(payment: Payment, said: dict[str, Any], act: Act) -> None:
    request_refund(
        payment_id=payment.id,
        amount_minor=said["amount"],
        reason=said["reason"],
        author=act.author,
        today=act.today,
        now=act.now,
        request_key=f"staff:{said['submission']}",
    )


def _ask(refund: Refund, said: dict[str, Any], act: Act) -> None:
    ask_again(row=refund)


def _sent(refund: Refund, said: dict[str, Any], act: Act) -> None:
    _resolve(refund, said, act, sent=True)


def _not_sent(refund: Refund, said: dict[str, Any], act: Act) -> None:
    _resolve(refund, said, act, sent=False)


def _resolve(refund: Refund, said: dict[str, Any], act: Act, *, sent: bool) -> None:
    resolve_refund(
        refund_id=refund.id,
        sent=sent,
        reference=said.get("reference", ""),
        reason=said["reason"],
        author=act.author,
        today=act.today,
        now=act.now,
    )


def _late(refund: Refund, said: dict[str, Any], act: Act) -> None:
    book_late_refund(
        refund_id=refund.id,
        reference=said["reference"],
        reason=said["reason"],
        author=act.author,
        today=act.today,
        now=act.now,
    )


def _needs_person(refund: Refund) -> bool:
    return refund.needs_person and refund.status in Refund.IN_FLIGHT


REFUND = Action(
    name="refund",
    label="Refund",
    explanation="The gateway sends this much of the payment back. The account's free credit goes down by it; what of "
    "it that doesn't cover is credited, so that the customer doesn't owe it again. For a charge that should never have "
    "been, reverse the charge first, then refund. A refund can't be reversed. A payment that was received outside the "
    "gateway is only written down as sent back: send it outside, too.",
    done="The refund is recorded; its state stands below, and is known in a moment.",
    permission="refund_payment",
    offered=lambda payment: left_to_refund(payment) > 0,
    perform=_refund,
    form=RefundForm,
)
ASK = Action(
    name="ask",
    label="Ask the gateway again",
    explanation="The gateway is asked once more what became of this refund. Nothing is sent under another key.",
    done="The gateway is being asked; look again in a moment.",
    permission="resolve_refund",
    offered=_needs_person,
    perform=_ask,
)
SENT = Action(
    name="sent",
    label="The money was sent",
    explanation="Look the refund up in the gateway's own records first: its id is in the metadata and is the "
    "idempotency key. The ledger gets the refund, which can't be reversed.",
    done="The refund is settled: the money was sent.",
    permission="resolve_refund",
    offered=_needs_person,
    perform=_sent,
    form=SentForm,
)
NOT_SENT = Action(
    name="not-sent",
    label="No money was sent",
    explanation="Look for the refund in the gateway's own records first. The payment may be refunded again then, under "
    "a new key: were the money sent after all, the customer would get it twice.",
    done="The refund is settled: no money was sent.",
    permission="resolve_refund",
    offered=_needs_person,
    perform=_not_sent,
)
LATE = Action(
    name="late",
    label="It was sent after all: book it",
    explanation="The gateway sent this money although it was settled that it had not. The ledger gets it as another "
    "refund of the payment, with its credit, and this one stays FAILED. Look it up at the gateway first. Where the "
    "payment was refunded again meanwhile it can't be booked: ask the customer, or the gateway, for the money.",
    done="The refund is booked, as another one of its payment.",
    permission="resolve_refund",
    offered=lambda refund: refund.needs_person and refund.status == Refund.Status.FAILED,
    perform=_late,
    form=SentForm,
)
PUT_RIGHT = put_right_action(
    permission="resolve_refund",
    how="This is for money that is back at the gateway. What the customer has kept is to be booked instead.",
)


def refunds_of(payment: Payment) -> Table:
    """A payment's refunds, all of them: each takes something of what is left."""
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
    list_display = ("id", "account_link", "status", "amount", "failure_code", "gateway", "submitted_at", "needs_person")
    list_filter = ("status", "needs_person", "gateway")
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
        "needs_person",
        "needs_person_reason",
        "gateway",
        "gateway_reference",
        "submitted_at",
        "asked_at",
        "leased_until",
        "settled_at",
    )
    page_actions = (ASK, SENT, NOT_SENT, LATE, PUT_RIGHT)
    linked_lookups = ("payment__account__id__exact",)

    payment_link = link("payment", description="payment")
    amount = money("amount_minor", description="amount")

    @admin.display(description="account")
    def account_link(self, refund: Refund) -> Any:
        return link_to(refund.payment.account)
