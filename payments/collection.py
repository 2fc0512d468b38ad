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
from django.db.models import QuerySet

from payments.gateways import Gateway, Outcome, PaymentRequest, Unknown, unkeepable
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
    until = now + datetime.timedelta(seconds=settings.PAYMENT_LEASE_SECONDS)
    requests = _lease(payment_ids=payment_ids, gateway=gateway.name, now=now, until=until)
    outcomes = _ask(requests=requests, gateway=gateway, seconds_left=seconds_left)
    not_reached = [request.payment_id for request in requests if request.payment_id not in outcomes]
    if not_reached:
        # Only our own lease: should it have ended, the next delivery's is not ours to give up.
        Payment.objects.filter(id__in=not_reached, leased_until=until).update(leased_until=None)
    leased = {request.payment_id for request in requests}
    left = Payment.objects.filter(
        id__in=[id_ for id_ in payment_ids if id_ not in leased], status=Payment.Status.SUBMITTED
    )
    return Collected(outcomes=outcomes, not_reached=not_reached, elsewhere=_elsewhere(left, gateway.name))


def _elsewhere(left: QuerySet[Payment], gateway: str) -> list[uuid.UUID]:
    """The payments that somebody else is to collect. One of another gateway than ours is told as an error."""
    found = list(left.values_list("id", "gateway"))
    if foreign := [str(id_) for id_, name in found if name != gateway]:
        logger.error(
            "payments of another gateway are waiting, and are never submitted to this one",
            extra={"event": "payment.foreign_gateway", "gateway": gateway, "payments": foreign[:20]},
        )
    return [id_ for id_, _ in found]


# SKIP LOCKED: a payment that is being settled this moment isn't waited for. A payment goes to the gateway that it was
# recorded for and to no other, to which its key would be new.
_LEASE = """
    UPDATE payments_payment SET leased_until = %(until)s
    WHERE id IN (
        SELECT id FROM payments_payment
        WHERE id = ANY(%(ids)s::uuid[]) AND status = 'SUBMITTED' AND gateway = %(gateway)s
            AND (leased_until IS NULL OR leased_until <= %(now)s)
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    )
    RETURNING id
"""


def _lease(
    *, payment_ids: Collection[uuid.UUID], gateway: str, now: datetime.datetime, until: datetime.datetime
) -> list[PaymentRequest]:
    """Take the lease of the payments that are free, so that two deliveries don't call the gateway at once."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_LEASE, {"ids": list(payment_ids), "gateway": gateway, "now": now, "until": until})
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
    """The outcomes of the requests for which there was time: for the gateway's deadline and settling, in our lease."""
    if not requests:
        return {}
    timeout = settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS
    at_first = seconds_left()

    def ask(request: PaymentRequest) -> Outcome | None:
        # Looked at when the request's turn comes, not when it was queued.
        left = seconds_left()
        in_time = left >= timeout + SETTLING_SECONDS
        # A call must be over before the lease is, or another delivery would call for the same payment meanwhile.
        in_lease = int(at_first - left) <= settings.PAYMENT_LEASE_SECONDS - timeout
        return _outcome_of(request, gateway) if in_time and in_lease else None

    workers = min(settings.PAYMENT_COLLECTORS, len(requests))
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="collect") as pool:
        futures: dict[uuid.UUID, Future[Outcome | None]] = {
            request.payment_id: pool.submit(ask, request) for request in requests
        }
        return {id_: outcome for id_, future in futures.items() if (outcome := future.result()) is not None}


def _outcome_of(request: PaymentRequest, gateway: Gateway) -> Outcome:
    """What the gateway answered. An answer that can't be kept, and a fault of the gateway, are Unknown."""
    try:
        outcome = gateway.collect(request)
        problem = unkeepable(outcome)
    except Exception as error:
        logger.exception("the gateway failed", extra={"event": "payment.fault", "payment": str(request.payment_id)})
        return Unknown(reason=f"{type(error).__name__} while collecting")
    if problem:
        # One answer that the database refuses would keep the whole pack from being settled.
        logger.error(problem, extra={"event": "payment.garbage", "payment": str(request.payment_id)})
        return Unknown(reason=problem)
    return outcome
