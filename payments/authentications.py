"""Payments that the customer may still authenticate with their bank: at a sign-up they are there to do so.

For `WAIT` such a payment isn't declined for the lack of it; it is UNKNOWN, and the gateway's client secret is kept,
with which the customer's browser goes on. It is kept no longer than that is of use.
"""

import datetime
import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from accounts.models import Account
from payments.gateways.port import Outcome, Unknown
from payments.models import Authentication

WAIT = datetime.timedelta(hours=24)
"""How long a customer has."""


class Row(Protocol):
    """A payment whose outcome was written just now."""

    @property
    def id(self) -> uuid.UUID: ...
    @property
    def may_be_authenticated(self) -> bool: ...


def allow_authentication(*, payment_ids: Collection[uuid.UUID], now: datetime.datetime) -> None:
    """The customer of these payments is there: they wait for them, in the transaction that submits them."""
    Authentication.objects.bulk_create(Authentication(payment_id=id_, until=now + WAIT) for id_ in payment_ids)


def keep_secrets(rows: Sequence[Row], outcomes: Mapping[uuid.UUID, Outcome]) -> None:
    """Keep the client secrets of payments that wait for their customer, and forget those of which the outcome is known.

    Without a statement where none of them may be authenticated.
    """
    known = []
    for row in rows:
        if not row.may_be_authenticated:
            continue
        outcome = outcomes[row.id]
        if not isinstance(outcome, Unknown):
            known.append(row.id)
        elif outcome.client_secret:
            Authentication.objects.filter(payment_id=row.id).update(client_secret=outcome.client_secret)
    if known:
        Authentication.objects.filter(payment_id__in=known).delete()


def end_authentications_by_another_method(*, account: Account) -> list[uuid.UUID]:
    """Forget what the account's customer was to authenticate with another customer or payment method than it has now:
    looked up next, those payments are declined. Their ids.
    """
    by_another = Authentication.objects.filter(payment__account=account).exclude(
        payment__customer=account.payment_customer, payment__payment_method=account.payment_method
    )
    ids = list(by_another.values_list("payment_id", flat=True))
    Authentication.objects.filter(payment_id__in=ids).delete()
    return ids


def end_authentications(*, now: datetime.datetime) -> int:
    """Forget what wasn't authenticated in time: looked up next, those payments are declined. Returns how many."""
    return Authentication.objects.filter(until__lte=now).delete()[0]


def client_secret_of(payment_id: uuid.UUID) -> str:
    """With which the customer's browser authenticates the payment now; empty where there is nothing to authenticate."""
    found = Authentication.objects.filter(payment_id=payment_id).values_list("client_secret", flat=True).first()
    return found or ""
