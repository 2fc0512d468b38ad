"""Collecting: the gateway is asked for money, concurrently, with no transaction open.

A payment is recorded SUBMITTED before this begins, and its outcome is settled after. Cut off in between, it stays
SUBMITTED, and redelivery collects it again under the same key.
"""

import datetime
import logging
import uuid
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction

from payments.gateways import Gateway, Outcome, PaymentRequest, Unknown
from payments.models import Payment

logger = logging.getLogger(__name__)

SETTLING_SECONDS = 5.0
"""Kept back from the time that is left, to settle what was collected."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of asking: outcomes by payment; payments not reached in time; payments collected elsewhere."""

    outcomes: dict[uuid.UUID, Outcome]
    not_reached: list[uuid.UUID]
    elsewhere: list[uuid.UUID]


def collect(
    *,
    payment_ids: Collection[uuid.UUID],
    gateway: Gateway,
    seconds_left: Callable[[], float],
    now: datetime.datetime,
) -> Collected:
    """Ask the gateway for each SUBMITTED payment among `payment_ids` that nobody else is asking for.

    `seconds_left` says how long the caller may still work. Payments that were settled before are left out.
    """
    requests = _lease(payment_ids=payment_ids, now=now)
    outcomes = _ask(requests=requests, gateway=gateway, seconds_left=seconds_left)
    not_reached = [request.payment_id for request in requests if request.payment_id not in outcomes]
    if not_reached:
        Payment.objects.filter(id__in=not_reached, status=Payment.Status.SUBMITTED).update(leased_until=None)
    leased = {request.payment_id for request in requests}
    elsewhere = list(
        Payment.objects.filter(
            id__in=[id_ for id_ in payment_ids if id_ not in leased], status=Payment.Status.SUBMITTED
        ).values_list("id", flat=True)
    )
    return Collected(outcomes=outcomes, not_reached=not_reached, elsewhere=elsewhere)


# SKIP LOCKED: a payment that is being settled this moment isn't waited for.
_LEASE = """
    UPDATE payments_payment SET leased_until = %(until)s
    WHERE id IN (
        SELECT id FROM payments_payment
        WHERE id = ANY(%(ids)s::uuid[]) AND status = 'SUBMITTED' AND (leased_until IS NULL OR leased_until <= %(now)s)
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    )
    RETURNING id
"""


def _lease(*, payment_ids: Collection[uuid.UUID], now: datetime.datetime) -> list[PaymentRequest]:
    """Take the lease of the payments that are free, so that two deliveries don't call the gateway at once."""
    until = now + datetime.timedelta(seconds=settings.PAYMENT_LEASE_SECONDS)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_LEASE, {"ids": list(payment_ids), "now": now, "until": until})
            leased = [id_ for (id_,) in cursor.fetchall()]
        payments = Payment.objects.filter(id__in=leased).select_related("account", "charge").order_by("id")
        return [
            PaymentRequest(
                payment_id=payment.id,
                amount_minor=payment.amount_minor,
                currency=payment.currency,
                customer=payment.account.payment_customer,
                payment_method=payment.account.payment_method,
                description=payment.charge.description if payment.charge else "",
            )
            for payment in payments
        ]


def _ask(
    *, requests: list[PaymentRequest], gateway: Gateway, seconds_left: Callable[[], float]
) -> dict[uuid.UUID, Outcome]:
    """The outcomes of the requests that could be made while there was time for the gateway's deadline and settling."""
    reserve = settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS + SETTLING_SECONDS

    def ask(request: PaymentRequest) -> Outcome | None:
        # Looked at when the request's turn comes, not when it was queued.
        if seconds_left() < reserve:
            return None
        try:
            return gateway.collect(request)
        except Exception as error:
            logger.exception("the gateway failed", extra={"event": "payment.fault", "payment": str(request.payment_id)})
            return Unknown(reason=f"{type(error).__name__} while collecting")

    if not requests:
        return {}
    workers = min(settings.PAYMENT_COLLECTORS, len(requests))
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="collect") as pool:
        futures: dict[uuid.UUID, Future[Outcome | None]] = {
            request.payment_id: pool.submit(ask, request) for request in requests
        }
        return {id_: outcome for id_, future in futures.items() if (outcome := future.result()) is not None}
