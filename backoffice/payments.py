"""Payments: attempts to collect, and their outcomes; those that need a person are settled here."""

from typing import Any

from django.contrib import admin

from backoffice.actions import Act, ActingAdmin, Action
from backoffice.base import link, money
from backoffice.forms import TakenForm
from backoffice.putting_right import put_right_action
from backoffice.refunds import REFUND, refunds_of
from payments.gateways.configured import configured_gateway_name
from payments.models import Payment
from rebilling.dispatch import ask_again, send_when_committed
from rebilling.models import Rebilling
from rebilling.resolving import resolve_payment
from rebilling.retries import retry_payment


def _retry(payment: Payment, said: dict[str, Any], act: Act) -> None:
    submitted = retry_payment(payment_id=payment.id, gateway=configured_gateway_name(), now=act.now)
    send_when_committed(payment_id=submitted.id)


def _ask(payment: Payment, said: dict[str, Any], act: Act) -> None:
    ask_again(row=payment)


def _taken(payment: Payment, said: dict[str, Any], act: Act) -> None:
    resolve_payment(
        payment_id=payment.id,
        taken=True,
        reference=said["reference"],
        reason=said["reason"],
        author=act.author,
        today=act.today,
        now=act.now,
    )


def _not_taken(payment: Payment, said: dict[str, Any], act: Act) -> None:
    resolve_payment(
        payment_id=payment.id,
        taken=False,
        reference="",
        reason=said["reason"],
        author=act.author,
        today=act.today,
        now=act.now,
    )


def _is_declined(payment: Payment) -> bool:
    unpaid = Rebilling.objects.filter(charge_id=payment.charge_id, status=Rebilling.Status.UNPAID)
    return payment.status == Payment.Status.DECLINED and unpaid.exists()


def _needs_person(payment: Payment) -> bool:
    return payment.needs_person and payment.status in Payment.IN_FLIGHT


RETRY = Action(
    name="retry",
    label="Try again",
    explanation="A new payment is submitted at once, for what is owed of the charge by now, after credits.",
    done="A new payment was submitted; its outcome is known in a moment.",
    permission="retry_payment",
    offered=_is_declined,
    perform=_retry,
)
ASK = Action(
    name="ask",
    label="Ask the gateway again",
    explanation="The gateway is asked once more what became of this payment. Nothing is collected under another key.",
    done="The gateway is being asked; look again in a moment.",
    permission="resolve_payment",
    offered=_needs_person,
    perform=_ask,
)
TAKEN = Action(
    name="taken",
    label="The money was taken",
    explanation="Look the payment up in the gateway's own records first: its id is in the metadata and is the "
    "idempotency key. The ledger gets the payment, which can't be reversed.",
    done="The payment is settled: the money was taken.",
    permission="resolve_payment",
    offered=_needs_person,
    perform=_taken,
    form=TakenForm,
)
NOT_TAKEN = Action(
    name="not-taken",
    label="No money was taken",
    explanation="Look for the payment in the gateway's own records first. The charge is unpaid then, and tried again "
    "under a new key: were the money taken after all, the customer would pay twice.",
    done="The payment is settled: no money was taken.",
    permission="resolve_payment",
    offered=_needs_person,
    perform=_not_taken,
)
PUT_RIGHT = put_right_action(
    permission="resolve_payment",
    how="Send it back there, or record it on the account's page as money from outside the gateway.",
)


@admin.register(Payment)
class PaymentAdmin(ActingAdmin):
    list_display = ("id", "account_link", "status", "amount", "decline_code", "gateway", "submitted_at", "needs_person")
    list_filter = ("status", "needs_person", "gateway")
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
        "needs_person",
        "needs_person_reason",
        "gateway",
        "gateway_reference",
        "submitted_at",
        "asked_at",
        "leased_until",
        "settled_at",
    )
    page_actions = (REFUND, RETRY, ASK, TAKEN, NOT_TAKEN, PUT_RIGHT)
    linked_lookups = ("account__id__exact",)

    account_link = link("account", description="account")
    charge_link = link("charge", description="charge")
    amount = money("amount_minor", description="amount")

    def page_context(self, row: Payment) -> dict[str, Any]:
        return {"tables": [refunds_of(row)]}
