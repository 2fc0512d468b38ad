"""Sending payments and refunds to the gateway, and looking up those whose outcome is unknown.

Many calls at once, with no transaction open; no call may outlast its lease.

A row is recorded SUBMITTED before this begins, and its outcome is recorded after. Cut off in between, it stays
SUBMITTED, and a redelivery submits it again under the same key, as long as the gateway is certain to remember that key.
From then on, and where the outcome is UNKNOWN, what became of it is looked up (`next_step`).
"""

import datetime
import logging
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from django.conf import settings

from payments.answer_checks import checked
from payments.call_rate import configured_rate
from payments.circuit_breaker import CircuitBreaker
from payments.concurrent_calls import CallAnswer, call_at_once, call_at_rate
from payments.gateways.port import (
    Answer,
    Declined,
    Gateway,
    NotFound,
    Outcome,
    Request,
    Unknown,
)
from payments.leases import Lease
from payments.models import GatewayAttempt
from payments.next_step import Step, next_step

logger = logging.getLogger(__name__)

RECORDING_SECONDS = 5.0
"""Of the time that is left, reserved to record the outcomes."""

NEVER_RECEIVED = "never_received"
"""The code of a request that the gateway has no record of, when it is too late to submit it again."""


@dataclass(frozen=True, slots=True)
class CallResults:
    """Outcomes by row, the rows to try again, and the rows that another worker holds the lease of.

    `stop_reason` says why the gateway takes no requests at present: then no row should be tried again at once. It is
    empty while the gateway takes requests. Rows that it rejects while it takes others are in none of these:
    they stay as they are and are sent again by the next hourly check, until the deadline marks them for review.
    """

    outcomes: dict[uuid.UUID, Outcome]
    to_try_again: list[uuid.UUID]
    leased_elsewhere: list[uuid.UUID]
    stop_reason: str


def call_gateway(
    lease: Lease,
    *,
    gateway: Gateway,
    clock: Callable[[], datetime.datetime],
    seconds_left: Callable[[], float],
) -> CallResults:
    """Call the gateway for each of the rows that are leased.

    Calls `PAYMENT_COLLECTORS` at once and, with all other workers, `PAYMENT_GATEWAY_CALLS_PER_SECOND`. `seconds_left`
    says how long the caller may still work. Once the gateway takes no requests, the rest isn't tried. A request that it
    rejects, while it takes others, holds up none of them, and is logged as an error.
    """
    rate = configured_rate(gateway=gateway.name)
    calls = _LeasedCalls(lease, gateway, CircuitBreaker(waits=rate is not None), clock, seconds_left)
    requests, threads = _in_random_order(lease.requests), settings.PAYMENT_COLLECTORS
    if rate is None:
        answers = call_at_once(requests, calls.call, threads=threads)
    else:
        answers = call_at_rate(
            requests, calls.call, threads=threads, rate=rate, seconds_to_begin=calls.seconds_to_begin
        )
    outcomes = {key: answer for key, answer in answers.items() if isinstance(answer, Outcome)}
    lease.release([key for key in answers if key not in outcomes])
    # Not leased: whoever leases one finds the same, and its outcome is written once.
    never_called = lease.not_to_be_sent.never_called
    outcomes |= never_called
    # With an open breaker, what the gateway rejected is tried again as if it hadn't been reached.
    rejected_too = bool(calls.breaker.open_reason)
    return CallResults(
        outcomes=outcomes,
        to_try_again=[
            key for key, answer in answers.items() if answer is None or (rejected_too and key not in outcomes)
        ],
        leased_elsewhere=_in_flight_still(lease.model, lease.others, gateway.name),
        stop_reason=calls.breaker.open_reason,
    )


class _LeasedCalls:
    """The gateway's calls for the rows of one lease, each by the step that comes next for its row."""

    def __init__(
        self,
        lease: Lease,
        gateway: Gateway,
        breaker: CircuitBreaker,
        clock: Callable[[], datetime.datetime],
        seconds_left: Callable[[], float],
    ) -> None:
        self.breaker, self._gateway, self._clock, self._seconds_left = breaker, gateway, clock, seconds_left
        self._timeout_seconds: float = settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS
        # A call must be over before the lease is, or another delivery would call for the same row meanwhile.
        self._last_call_at = lease.until - datetime.timedelta(seconds=self._timeout_seconds)
        self._not_to_be_sent = lease.not_to_be_sent.called_before
        self._steps = {
            id_: next_step(
                first_called_at=first,
                now=lease.since,
                unknown=id_ in lease.unknown,
                may_send=id_ not in self._not_to_be_sent,
            )
            for id_, first in lease.first_called_at.items()
        }

    def seconds_to_begin(self) -> float:
        """How long from now on a call may still begin; below zero, none may."""
        if self.breaker.open_reason:
            return -1
        until_the_last = (self._last_call_at - self._clock()).total_seconds()
        return min(self._seconds_left() - self._timeout_seconds - RECORDING_SECONDS, until_the_last)

    def call(self, request: Request) -> CallAnswer:
        """The answer to one request, checked; None where there is no time for it. A fault of the gateway is Unknown."""
        # Looked at when the request's turn comes, not when it was queued.
        if self.seconds_to_begin() < 0:
            return None
        try:
            answer = checked(request, self._submit_or_look_up(request))
        except Exception as error:
            logger.exception("the gateway failed", extra={"event": "gateway.fault", "key": str(request.key)})
            answer = Unknown(reason=f"{type(error).__name__} while the gateway was called")
        self.breaker.record(answer)
        return answer

    def _submit_or_look_up(self, request: Request) -> Answer:
        """What the gateway answers to the request's step: at most two calls, within the time of one."""
        step = self._steps[request.key]
        if step is Step.SUBMIT:
            return self._gateway.submit(request, timeout_seconds=self._timeout_seconds)
        found = self._gateway.look_up(request, timeout_seconds=self._timeout_seconds / 2)
        if not isinstance(found, NotFound):
            return found
        if step is Step.LOOK_UP_THEN_SUBMIT:
            return self._gateway.submit(request, timeout_seconds=self._timeout_seconds / 2)
        if step is Step.LOOK_UP_THEN_GIVE_UP:
            return self._not_to_be_sent.get(request.key, Declined(code=NEVER_RECEIVED))
        return Unknown(reason="the gateway has no record of it yet, and a call for it may still be on its way")


def _in_random_order(requests: Sequence[Request]) -> list[Request]:
    """By the random end of their keys: accounts that were imported together, all of them wrong, don't come in a row.

    The order is the same each time, so that what a test or a person sees can be seen again.
    """
    return sorted(requests, key=lambda request: request.key.bytes[::-1])


def _in_flight_still(model: type[GatewayAttempt], ids: Collection[uuid.UUID], gateway: str) -> list[uuid.UUID]:
    """Those of the rows, which we got no lease of, that are in flight: another worker has it, or had it at the moment.

    A row of another gateway is logged as an error and left to that gateway: its message would only fail again.
    """
    in_flight = model._default_manager.filter(id__in=ids, status__in=model.IN_FLIGHT)
    found: list[tuple[uuid.UUID, str]] = list(in_flight.values_list("id", "gateway"))
    if foreign := [str(id_) for id_, name in found if name != gateway]:
        logger.error(
            f"{model.NOUN}s of another gateway are waiting, and are never submitted to this one",
            extra={"event": f"{model.NOUN}.foreign_gateway", "gateway": gateway, f"{model.NOUN}s": foreign[:20]},
        )
    return [id_ for id_, name in found if name == gateway]
