"""How a sign-up reads in its answer: the account, and its first invoice with the payment of it."""

import datetime
import json
import logging
import uuid
from typing import Any

from django.db import DatabaseError
from django.http import HttpResponse
from rest_framework import serializers

from accounts.locked_accounts import get_account
from accounts.models import Account
from api.fields import Amount, TextOrNull
from api.idempotency import REPLAYED, Answer
from api.v1.account_answers import AccountSerializer, account_as_json
from api.wait_parameter import look_until
from invoices.models import Invoice
from payments.authentications import client_secret_of
from payments.messages.dispatch import NothingToLookUp, UnableToCall, look_up_now
from payments.models import Payment
from subscriptions.sign_up import NoFirstInvoice, SignedUp

logger = logging.getLogger(__name__)


class FirstPaymentSerializer(serializers.Serializer[Any]):
    """The newest payment of a first invoice."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(Payment.Status.choices)
    decline_code = TextOrNull(help_text="Why it was declined.")
    client_secret = TextOrNull(
        help_text="The gateway's client secret, while the payment waits for the customer to authenticate it: with it, "
        "the gateway's library in the customer's browser does so. Within 24 hours; then the payment is declined."
    )


class FirstInvoiceSerializer(serializers.Serializer[Any]):
    """The first invoice of an account; `GET /v1/invoices/{id}` has all of it."""

    id = serializers.UUIDField()
    number = serializers.CharField()
    status = serializers.ChoiceField(Invoice.Status.choices)
    total_minor = Amount()
    outstanding_minor = Amount()
    payment = FirstPaymentSerializer(allow_null=True, help_text="Null where nothing of it is collected.")


class OpenedAccountSerializer(AccountSerializer):
    """An account as it was opened, with its first invoice."""

    first_invoice = FirstInvoiceSerializer(
        allow_null=True, read_only=True, help_text="The invoice that was issued at once; null where none was."
    )
    not_billed = serializers.ChoiceField(
        NoFirstInvoice.choices,
        allow_null=True,
        read_only=True,
        help_text="Why no invoice was issued at once, or null. `next_sweep`: as `billing` said. `starts_later`: its "
        "first period begins later. `started_earlier`: its rebilling date has passed, the next sweep catches up. "
        "`run_held`: the volume check holds the day's run, and a person decides. `parked`: the invoice was refused, "
        "and a person decides.",
    )

    class Meta(AccountSerializer.Meta):
        fields = (*AccountSerializer.Meta.fields, "first_invoice", "not_billed")  # type: ignore[assignment]  # more of them
        read_only_fields = fields  # type: ignore[assignment]


def sign_up_as_json(signed_up: SignedUp, *, today: datetime.date) -> dict[str, Any]:
    """What opening an account answers with, when that is committed."""
    return _as_json(signed_up.account, signed_up.invoice_id, signed_up.no_invoice, today=today)


def after_waiting(opened: HttpResponse, *, seconds: int, today: datetime.date) -> HttpResponse:
    """The answer to an account's opening, as it is once the outcome of its first payment is known, or after so many
    seconds.

    What was answered first is kept for a repeated request, and not this: repeated, the request waits again, and learns
    what is known by then. A payment that waits for its customer is looked up then. The account is open whatever happens
    here, so that the database's trouble ends the waiting and no more.
    """
    body = json.loads(opened.content)
    first = body.get("first_invoice") if opened.status_code == 201 else None
    if not first or not seconds:
        return opened
    invoice_id, is_repeated = uuid.UUID(first["id"]), opened.has_header(REPLAYED)
    try:
        waits_for_customer = is_repeated and _look_up_if_waiting(invoice_id)
        look_until(lambda: _is_known(invoice_id, also_secret=not waits_for_customer), is_done=bool, seconds=seconds)
        data = _as_json(get_account(uuid.UUID(body["id"])), invoice_id, None, today=today)
    except DatabaseError:
        logger.warning("waiting for a payment was given up", exc_info=True, extra={"event": "sign_up.not_waited"})
        return opened
    answer = Answer(201, data, location=opened["Location"]).response()
    if is_repeated:
        answer[REPLAYED] = "true"
    return answer


def _as_json(
    account: Account, invoice_id: uuid.UUID | None, no_invoice: NoFirstInvoice | None, *, today: datetime.date
) -> dict[str, Any]:
    first = _first_invoice(invoice_id) if invoice_id else None
    return account_as_json(account, today=today) | {"first_invoice": first, "not_billed": no_invoice}


def _first_invoice(invoice_id: uuid.UUID) -> dict[str, Any]:
    invoice = Invoice.objects.get(id=invoice_id)
    payment = _payment_of(invoice_id)
    shown: dict[str, Any] = {
        "id": str(invoice.id),
        "number": invoice.number,
        "status": invoice.status,
        "total_minor": invoice.total_minor,
        "outstanding_minor": invoice.outstanding_minor,
        "payment": None,
    }
    if payment is not None:
        shown["payment"] = {
            "id": str(payment.id),
            "status": payment.status,
            "decline_code": payment.decline_code or None,
            "client_secret": client_secret_of(payment.id) or None,
        }
    return shown


def _payment_of(invoice_id: uuid.UUID) -> Payment | None:
    return Payment.objects.filter(invoice_id=invoice_id).order_by("-id").first()


def _is_known(invoice_id: uuid.UUID, *, also_secret: bool) -> bool:
    """Whether its newest payment succeeded or was declined, or waits for the customer."""
    payment = _payment_of(invoice_id)
    if payment is None or payment.status not in Payment.IN_FLIGHT:
        return True
    return also_secret and bool(client_secret_of(payment.id))


def _look_up_if_waiting(invoice_id: uuid.UUID) -> bool:
    """Whether the payment waits for its customer, who may have authenticated it by now: it is looked up at once."""
    payment = _payment_of(invoice_id)
    if payment is None or not client_secret_of(payment.id):
        return False
    try:
        look_up_now(row=payment)
    except (NothingToLookUp, UnableToCall):
        return False
    return True
