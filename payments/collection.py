"""Collecting: the gateway is asked for money, concurrently, with no transaction open.

A payment is recorded SUBMITTED before this begins, and its outcome is settled after. Cut off in between it stays
SUBMITTED, and redelivery asks again under the same key, for as long as the gateway surely remembers that key. From
then on, and where the outcome is UNKNOWN, the gateway is asked what became of it.
"""

import datetime
import logging
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Generic

from payments.asking import AnyRequest, Asked, ask_all
from payments.gateways import (
    KEY_KEPT,
    Answer,
    Declined,
    Finding,
    Gateway,
    NotFound,
    Outcome,
    PaymentRequest,
    Unknown,
)
from payments.leasing import take_lease
from payments.models import Payment, Refund

logger = logging.getLogger(__name__)

SUBMITTED_AGAIN = KEY_KEPT - datetime.timedelta(hours=1)
"""How long after it was first asked for a row may be submitted again. Well within the time for which its key is
kept: a delivery takes its time, and clocks differ."""

GIVEN_UP = KEY_KEPT
"""How long after it was first asked for a row that the gateway has no record of was never received. Not sooner: a call
made within `SUBMITTED_AGAIN` that timed out may arrive after a look that found nothing."""

NEVER_RECEIVED = "never_received"
"""The code of what the gateway has no record of, when it is too late to submit it again."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of asking: outcomes by row; rows not reached in time; rows that others are asking about.

    `refused` says why the gateway takes no requests at present, and then no row that wasn't reached is to be tried at
    once; empty when it does. Rows that it doesn't take while it takes others are in none of these: they stay as they
    are, and it is for whoever sends leftovers again to send them, hours later, until the deadline hands them over.
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

    `seconds_left` says how long the caller may still work. Payments that were settled before are left out. The lease
    runs from `now`: were it read long before, calls could outlast the lease.
    """
    ask: Ask[PaymentRequest] = Ask(
        submit=lambda request, seconds: gateway.collect(request, timeout_seconds=seconds),
        look_up=lambda request, seconds: gateway.look_up(request, timeout_seconds=seconds),
        requests=_requests,
    )
    return ask.about(model=Payment, ids=payment_ids, gateway=gateway.name, seconds_left=seconds_left, now=now)


@dataclass(frozen=True, slots=True)
class Ask(Generic[AnyRequest]):
    """How a gateway is asked: `submit` and `look_up` get a request and its seconds, `requests` makes them of rows."""

    submit: Callable[[AnyRequest, float], Answer]
    look_up: Callable[[AnyRequest, float], Finding]
    requests: Callable[[Collection[uuid.UUID]], Sequence[AnyRequest]]

    def about(
        self,
        *,
        model: type[Payment] | type[Refund],
        ids: Collection[uuid.UUID],
        gateway: str,
        seconds_left: Callable[[], float],
        now: datetime.datetime,
    ) -> Collected:
        """Ask about each of the model's rows whose outcome is open and that nobody else is asking about."""
        # Read first: a lease that ends later than the calls think does no harm.
        left_at_lease = seconds_left()
        lease = take_lease(model=model, ids=ids, gateway=gateway, now=now)
        may_submit = {id_ for id_, first in lease.asked_at.items() if first is None or now < first + SUBMITTED_AGAIN}
        given_up = {id_ for id_, first in lease.asked_at.items() if first is not None and now >= first + GIVEN_UP}

        def ask(request: AnyRequest, timeout_seconds: float) -> Answer:
            if request.key in may_submit and request.key not in lease.unknown:
                return self.submit(request, timeout_seconds)
            # Two calls at the most, within the time of one.
            found = self.look_up(request, timeout_seconds / 2)
            if not isinstance(found, NotFound):
                return found
            if request.key in may_submit:
                return self.submit(request, timeout_seconds / 2)
            if request.key in given_up:
                return Declined(code=NEVER_RECEIVED)
            return Unknown(reason="the gateway has no record of it yet, and a call for it may still be on its way")

        asked: Asked = ask_all(
            requests=self.requests(lease.asked_at), ask=ask, seconds_left=seconds_left, left_at_lease=left_at_lease
        )
        lease.give_up([*asked.not_reached, *asked.not_taken])
        left = [id_ for id_ in ids if id_ not in lease.asked_at]
        return Collected(asked.outcomes, asked.not_reached, _elsewhere(model, left, gateway), asked.refused)


def _requests(payment_ids: Collection[uuid.UUID]) -> list[PaymentRequest]:
    payments = Payment.objects.filter(id__in=payment_ids).select_related("charge").order_by("id")
    return [
        PaymentRequest(
            payment_id=payment.id,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            customer=payment.customer,
            payment_method=payment.payment_method,
            description=payment.charge.description if payment.charge else "",
            submitted_at=payment.submitted_at,
            reference=payment.gateway_reference,
        )
        for payment in payments
    ]


def _elsewhere(model: type[Payment] | type[Refund], ids: Collection[uuid.UUID], gateway: str) -> list[uuid.UUID]:
    """Those of the rows that somebody else is asking about.

    One of another gateway than ours is told as an error, and left to that one: it would only fail its message again.
    """
    found = list(model.objects.filter(id__in=ids, status__in=Payment.IN_FLIGHT).values_list("id", "gateway"))
    if foreign := [str(id_) for id_, name in found if name != gateway]:
        what = model._meta.model_name
        logger.error(
            f"{what}s of another gateway are waiting, and are never submitted to this one",
            extra={"event": f"{what}.foreign_gateway", "gateway": gateway, f"{what}s": foreign[:20]},
        )
    return [id_ for id_, name in found if name == gateway]
