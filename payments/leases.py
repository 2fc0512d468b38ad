"""Leases: the worker that holds a payment's or a refund's lease calls the gateway for it, and no other does."""

import datetime
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from accounts.array_literals import uuid_array
from accounts.sql_files import query
from payments.amount_checks import NotToBeSent, check_amounts
from payments.gateways.port import PaymentRequest, RefundRequest, Request
from payments.models import GatewayAttempt, Payment, Refund
from payments.submission import description_of


@dataclass(frozen=True, slots=True)
class Lease:
    """Rows that we may call the gateway for from `since` until `until`, each with the time of its first call; None:
    never before.

    `requests` are what it is called with, in no order; `unknown` are those whose outcome is UNKNOWN. Of those that are
    `not_to_be_sent`, the ones never called for aren't leased; nor are the `others` that were asked for.
    """

    model: type[GatewayAttempt]
    since: datetime.datetime
    until: datetime.datetime
    requests: Sequence[Request]
    first_called_at: Mapping[uuid.UUID, datetime.datetime | None]
    unknown: frozenset[uuid.UUID] = frozenset()
    not_to_be_sent: NotToBeSent = field(default_factory=NotToBeSent)
    others: Sequence[uuid.UUID] = ()

    def release(self, ids: Collection[uuid.UUID]) -> None:
        """Release rows whose outcome isn't to be recorded: the gateway wasn't called, or rejected them and moved no
        money.

        A lease that has ended, and is another worker's, stays: it ends at another instant, which tells it from ours.
        """
        ours = self.model._default_manager.filter(id__in=ids, leased_until=self.until)
        never = [id_ for id_ in ids if self.first_called_at[id_] is None]
        if never:
            ours.filter(id__in=never).update(leased_until=None, first_called_at=None)
        if len(never) < len(ids):
            ours.exclude(id__in=never).update(leased_until=None)


def lease_end(since: datetime.datetime) -> datetime.datetime:
    return since + datetime.timedelta(seconds=settings.PAYMENT_LEASE_SECONDS)


def submitted_under_lease(payments: Sequence[PaymentRequest], *, since: datetime.datetime) -> Lease:
    """The lease of payments that were recorded with it, until `lease_end(since)`: nobody has called for them, and
    nothing has come for their invoices since.
    """
    return Lease(
        model=Payment,
        since=since,
        until=lease_end(since),
        requests=payments,
        first_called_at={payment.payment_id: None for payment in payments},
    )


def take_lease(
    *, model: type[GatewayAttempt], ids: Collection[uuid.UUID], gateway: str, now: datetime.datetime
) -> Lease:
    """Lease, for `PAYMENT_LEASE_SECONDS`, those of the rows that are in flight and that no worker holds a lease of."""
    until = lease_end(now)
    statement = query(__file__, "lease_refunds") if model is Refund else query(__file__, "lease_payments")
    request_of = _refund_request if model is Refund else _payment_request
    with transaction.atomic(), connection.cursor() as cursor:
        not_to_be_sent = check_amounts(model=model, ids=ids)
        free = [id_ for id_ in ids if id_ not in not_to_be_sent.never_called]
        cursor.execute(statement, {"ids": uuid_array(free), "gateway": gateway, "now": now, "until": until})
        rows = cursor.fetchall()
    first_called_at = {id_: first for first, _, id_, *_ in rows}
    return Lease(
        model=model,
        since=now,
        until=until,
        requests=[request_of(columns) for _, _, *columns in rows],
        first_called_at=first_called_at,
        unknown=frozenset(id_ for _, unknown, id_, *_ in rows if unknown),
        not_to_be_sent=not_to_be_sent,
        others=[id_ for id_ in free if id_ not in first_called_at],
    )


def _payment_request(columns: Sequence[Any]) -> PaymentRequest:
    id_, amount_minor, currency, customer, payment_method, number, submitted_at, reference, may_act = columns
    return PaymentRequest(
        payment_id=id_,
        amount_minor=amount_minor,
        currency=currency,
        customer=customer,
        payment_method=payment_method,
        description=description_of(number),
        submitted_at=submitted_at,
        reference=reference,
        customer_may_act=may_act,
    )


def _refund_request(columns: Sequence[Any]) -> RefundRequest:
    id_, payment_id, payment_reference, amount_minor, currency, reason, submitted_at, reference = columns
    return RefundRequest(
        refund_id=id_,
        payment_id=payment_id,
        payment_reference=payment_reference,
        amount_minor=amount_minor,
        currency=currency,
        reason=reason,
        submitted_at=submitted_at,
        reference=reference,
    )
