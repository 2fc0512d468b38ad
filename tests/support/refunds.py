"""Payments that were taken, refunds of them, and a delivery of refunds to the worker."""

import datetime
from typing import Any

from accounts.models import Account
from ledger.models import Entry
from payments.messages.format import to_json
from payments.messages.rows import RefundsMessage
from payments.models import Payment, Refund
from payments.refund_requests import request_refund
from tests.builders import NOW, TODAY, ScriptedGateway, an_account, billed, delivered

LATER = NOW + datetime.timedelta(minutes=16)


def paid(**terms: Any) -> Payment:
    """1,999 for January, taken from a new account."""
    account = an_account(**terms)
    billed(as_of=TODAY)
    return account.payments.get()


def requested(payment: Payment, amount_minor: int = 1999, **given: Any) -> Refund:
    said: dict[str, Any] = {"reason": "unhappy", "author": "staff:anna", "today": TODAY, "now": NOW}
    return request_refund(payment_id=payment.id, amount_minor=amount_minor, **(said | given))


def sent(*refunds: Refund, gateway: ScriptedGateway | None = None, **given: Any) -> list[str]:
    """Have the worker send them, in one message; what failed."""
    body = to_json(RefundsMessage(ids=tuple(refund.id for refund in refunds)))
    return delivered(bodies=[body], gateway=gateway, **given)


def refunded(payment: Payment, amount_minor: int = 1999, **given: Any) -> Refund:
    """Requested and sent."""
    refund = requested(payment, amount_minor, **given)
    assert sent(refund) == []
    refund.refresh_from_db()
    assert refund.status == Refund.Status.SUCCEEDED
    return refund


def entries_of(account: Account) -> list[tuple[str, int]]:
    """The account's entries in the order of writing: type and amount."""
    return list(Entry.objects.filter(account=account).order_by("id").values_list("type", "amount_minor"))
