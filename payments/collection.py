"""Collecting: the gateway is asked for money, concurrently, with no transaction open.

A payment is recorded SUBMITTED before this begins, and its outcome is settled after. Cut off in between it stays
SUBMITTED, and redelivery asks again under the same key, for as long as the gateway surely remembers that key. From
then on, and where the outcome is UNKNOWN, the gateway is asked what became of it.
"""

import datetime
import logging
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass

from django.db.models import QuerySet

from payments.asking import ask_all
from payments.gateways import KEY_KEPT, Answer, Declined, Gateway, NotFound, Outcome, PaymentRequest
from payments.leasing import take_lease
from payments.models import Payment

logger = logging.getLogger(__name__)

SUBMITTED_AGAIN = KEY_KEPT - datetime.timedelta(hours=1)
"""How long after it was first asked for a payment may be submitted again. Well within the time for which its key is
kept: a delivery takes its time, and clocks differ."""

NEVER_RECEIVED = "never_received"
"""The decline code of a payment that the gateway has no record of, when it is too late to submit it again."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of asking: outcomes by payment; payments not reached in time; payments collected elsewhere.

    `refused` says why the gateway takes no requests at present, and then no payment that wasn't reached is to be tried
    at once; empty when it does.
    """

    outcomes: dict[uuid.UUID, Outcome]
    not_reached: list[uuid.UUID]
    elsewhere: list[uuid.UUID]
    refused: str


def collect(
    *,
    payment_ids: Collection[uuid.UUID],
    gateway: Gateway,
    seconds_left: Callable[[], float],
    now: datetime.datetime,
) -> Collected:
    """Ask the gateway for each payment among `payment_ids` whose outcome is open and that nobody else is asking for.

    `seconds_left` says how long the caller may still work. Payments that were settled before are left out.
    """
    lease = take_lease(model=Payment, ids=payment_ids, gateway=gateway.name, now=now)
    payments = Payment.objects.filter(id__in=lease.asked_at).select_related("charge").order_by("id")
    ask = _Ask(
        gateway=gateway,
        never_asked=frozenset(id_ for id_, first in lease.asked_at.items() if first is None),
        key_is_kept=frozenset(id_ for id_, first in lease.asked_at.items() if first and now < first + SUBMITTED_AGAIN),
        unknown=frozenset(payment.id for payment in payments if payment.status == Payment.Status.UNKNOWN),
    )
    asked = ask_all(requests=[_request(payment) for payment in payments], ask=ask, seconds_left=seconds_left)
    lease.give_up(asked.not_reached)
    left = Payment.objects.filter(
        id__in=[id_ for id_ in payment_ids if id_ not in lease.asked_at], status__in=Payment.IN_FLIGHT
    )
    return Collected(asked.outcomes, asked.not_reached, _elsewhere(left, gateway.name), asked.refused)


@dataclass(frozen=True, slots=True)
class _Ask:
    """How each payment is asked about: submitted, or looked up first. Sets of payments by id."""

    gateway: Gateway
    never_asked: frozenset[uuid.UUID]
    key_is_kept: frozenset[uuid.UUID]
    unknown: frozenset[uuid.UUID]

    def __call__(self, request: PaymentRequest, timeout_seconds: float) -> Answer:
        may_submit = request.key in self.never_asked or request.key in self.key_is_kept
        if may_submit and request.key not in self.unknown:
            return self.gateway.collect(request, timeout_seconds=timeout_seconds)
        # Two calls at the most, within the time of one.
        found = self.gateway.look_up(request, timeout_seconds=timeout_seconds / 2)
        if not isinstance(found, NotFound):
            return found
        if may_submit:
            return self.gateway.collect(request, timeout_seconds=timeout_seconds / 2)
        return Declined(code=NEVER_RECEIVED)


def _request(payment: Payment) -> PaymentRequest:
    return PaymentRequest(
        payment_id=payment.id,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        customer=payment.customer,
        payment_method=payment.payment_method,
        description=payment.charge.description if payment.charge else "",
        submitted_at=payment.submitted_at,
        reference=payment.gateway_reference,
    )


def _elsewhere(left: QuerySet[Payment], gateway: str) -> list[uuid.UUID]:
    """The payments that somebody else is to collect. One of another gateway than ours is told as an error."""
    found = list(left.values_list("id", "gateway"))
    if foreign := [str(id_) for id_, name in found if name != gateway]:
        logger.error(
            "payments of another gateway are waiting, and are never submitted to this one",
            extra={"event": "payment.foreign_gateway", "gateway": gateway, "payments": foreign[:20]},
        )
    return [id_ for id_, _ in found]
