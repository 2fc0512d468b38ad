"""Payments and their outcomes. Those that need review are resolved here."""

from typing import Any

from django.contrib import admin

from backoffice.actions import ActingAdmin, Action, Caller
from backoffice.base import link, money
from backoffice.forms import PaymentReferenceForm
from backoffice.mark_resolved import mark_resolved_action
from backoffice.refunds import REFUND, refunds_of
from payments.gateways.configured import configured_gateway_name
from payments.models import Payment
from rebilling.dunning import retry_payment
from rebilling.messages.dispatch import look_up_again, send_when_committed
from rebilling.models import Rebilling
from rebilling.reviews import resolve_payment


def _retry(payment: Payment, data: dict[str, Any], caller: Caller) -> None:
    submitted = retry_payment(payment_id=payment.id, gateway=configured_gateway_name(), now=caller.now)
    send_when_committed(payment_id=submitted.id)


def _look_up(payment: Payment, data: dict[str, Any], caller: Caller) -> None:
    look_up_again(row=payment)


def _mark_succeeded(payment: Payment, data: dict[str, Any], caller: Caller) -> None:
    resolve_payment(
        payment_id=payment.id,
        taken=True,
        reference=data["reference"],
        reason=data["reason"],
        author=caller.author,
        today=caller.today,
        now=caller.now,
    )


def _mark_declined(payment: Payment, data: dict[str, Any], caller: Caller) -> None:
    resolve_payment(
        payment_id=payment.id,
        taken=False,
        reference="",
        reason=data["reason"],
        author=caller.author,
        today=caller.today,
        now=caller.now,
    )


def _is_declined(payment: Payment) -> bool:
    unpaid = Rebilling.objects.filter(charge_id=payment.charge_id, status=Rebilling.Status.UNPAID)
    return payment.status == Payment.Status.DECLINED and unpaid.exists()


def _needs_review(payment: Payment) -> bool:
    return payment.needs_review and payment.status in Payment.IN_FLIGHT


RETRY = Action(
    name="retry",
    label="Retry this payment",
    explanation="A new payment is submitted at once, for what is still unpaid of the charge, after credits.",
    done="A new payment was submitted. Its outcome will be known in a moment.",
    permission="retry_payment",
    offered=_is_declined,
    perform=_retry,
)
LOOK_UP = Action(
    name="look-up",
    label="Look up at the gateway",
    explanation="The payment is looked up at the gateway once more. Nothing is collected under another key.",
    done="The payment is being looked up. Reload this page in a moment.",
    permission="resolve_payment",
    offered=_needs_review,
    perform=_look_up,
)
MARK_SUCCEEDED = Action(
    name="mark-succeeded",
    label="Mark as succeeded",
    explanation="For a payment whose money was taken. Find it in the gateway's own records first: our payment id is in "
    "the metadata and is the idempotency key. The ledger gets a payment entry, which can't be reversed.",
    done="The payment was marked as succeeded.",
    permission="resolve_payment",
    offered=_needs_review,
    perform=_mark_succeeded,
    form=PaymentReferenceForm,
)
MARK_DECLINED = Action(
    name="mark-declined",
    label="Mark as declined",
    explanation="For a payment that took no money. Check the gateway's own records first. The charge becomes unpaid "
    "and is retried under a new key: if the money was taken after all, the customer would pay twice.",
    done="The payment was marked as declined.",
    permission="resolve_payment",
    offered=_needs_review,
    perform=_mark_declined,
)
MARK_RESOLVED = mark_resolved_action(
    permission="resolve_payment",
    how="Refund it at the gateway, or record it on the account's page as an offline payment.",
)


@admin.register(Payment)
class PaymentAdmin(ActingAdmin):
    list_display = ("id", "account_link", "status", "amount", "decline_code", "gateway", "submitted_at", "needs_review")
    list_filter = ("status", "needs_review", "gateway")
    list_select_related = ("account",)
    search_fields = ("=gateway_reference", "=account__external_reference")
    search_help_text = "An id, a gateway's reference or an account's external reference"
    fields = (
        "id",
        "account_link",
        "charge_link",
        "status",
        "amount",
        "decline_code",
        "needs_review",
        "review_reason",
        "gateway",
        "gateway_reference",
        "submitted_at",
        "first_called_at",
        "leased_until",
        "completed_at",
    )
    page_actions = (REFUND, RETRY, LOOK_UP, MARK_SUCCEEDED, MARK_DECLINED, MARK_RESOLVED)
    linked_lookups = ("account__id__exact",)

    account_link = link("account", description="account")
    charge_link = link("charge", description="charge")
    amount = money("amount_minor", description="amount")

    def page_context(self, row: Payment) -> dict[str, Any]:
        return {"tables": [refunds_of(row)]}
