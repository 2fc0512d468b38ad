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
from dataclasses import dataclass, replace

from django.conf import settings

from payments.call_rate import configured_rate
from payments.circuit_breaker import CircuitBreaker
from payments.concurrent_calls import CallAnswer, make_calls
from payments.gateways.port import (
    Answer,
    Declined,
    Gateway,
    NotAttempted,
    NotFound,
    Outcome,
    Request,
    Succeeded,
    Unknown,
    contradiction,
    readable,
    unkeepable,
)
from payments.leases import take_lease
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
    *,
    model: type[GatewayAttempt],
    ids: Collection[uuid.UUID],
    gateway: Gateway,
    clock: Callable[[], datetime.datetime],
    seconds_left: Callable[[], float],
) -> CallResults:
    """Call the gateway for each of the rows that is in flight and that no other worker holds the lease of.

    Calls `PAYMENT_COLLECTORS` at once and, with all other workers, `PAYMENT_GATEWAY_CALLS_PER_SECOND`. `seconds_left`
    says how long the caller may still work; rows are leased from `clock()` on. Rows whose outcome is known are left
    out. Once the gateway takes no requests, the rest isn't tried. A request that it rejects by itself holds up no
    other, and is logged as an error.
    """
    now = clock()
    lease = take_lease(model=model, ids=ids, gateway=gateway.name, now=now)
    never_called, called_before = lease.not_to_be_sent.never_called, lease.not_to_be_sent.called_before
    steps = {
        id_: next_step(first_called_at=first, now=now, unknown=id_ in lease.unknown, may_send=id_ not in called_before)
        for id_, first in lease.first_called_at.items()
    }
    rate = configured_rate(gateway=gateway.name)
    breaker = CircuitBreaker(waits=rate is not None)
    timeout: float = settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS
    # A call must be over before the lease is, or another delivery would call for the same row meanwhile.
    last_call_at = lease.until - datetime.timedelta(seconds=timeout)
    never_received = Declined(code=NEVER_RECEIVED)

    def seconds_to_begin() -> float:
        """How long from now on a call may still begin; below zero, none may."""
        if breaker.open_reason:
            return -1
        return min(seconds_left() - timeout - RECORDING_SECONDS, (last_call_at - clock()).total_seconds())

    def call_one(request: Request) -> CallAnswer:
        # Checked when the request's turn comes, not when it was queued.
        if seconds_to_begin() < 0:
            return None
        answer = _checked_answer(
            request,
            gateway=gateway,
            step=steps[request.key],
            if_not_found=called_before.get(request.key, never_received),
            timeout_seconds=timeout,
        )
        breaker.record(answer)
        return answer

    answers = make_calls(_in_random_order(lease.requests), call_one, rate=rate, seconds_to_begin=seconds_to_begin)
    outcomes = {key: answer for key, answer in answers.items() if isinstance(answer, Outcome)}
    lease.release([key for key in answers if key not in outcomes])
    outcomes |= never_called
    # With an open breaker, what the gateway rejected is tried again as if it hadn't been reached.
    rejected_too = bool(breaker.open_reason)
    return CallResults(
        outcomes=outcomes,
        to_try_again=[
            key for key, answer in answers.items() if answer is None or (rejected_too and key not in outcomes)
        ],
        leased_elsewhere=_leased_elsewhere(
            model, [id_ for id_ in ids if id_ not in steps and id_ not in never_called], gateway.name
        ),
        stop_reason=breaker.open_reason,
    )


def _in_random_order(requests: Sequence[Request]) -> list[Request]:
    """By the random end of their keys: accounts that were imported together, all of them wrong, don't come in a row.

    The order is the same each time, so that what a test or a person sees can be seen again.
    """
    return sorted(requests, key=lambda request: request.key.bytes[::-1])


def _call(request: Request, *, gateway: Gateway, step: Step, if_not_found: Declined, timeout_seconds: float) -> Answer:
    if step is Step.SUBMIT:
        return gateway.submit(request, timeout_seconds=timeout_seconds)
    # At most two calls, within the time of one.
    found = gateway.look_up(request, timeout_seconds=timeout_seconds / 2)
    if not isinstance(found, NotFound):
        return found
    if step is Step.LOOK_UP_THEN_SUBMIT:
        return gateway.submit(request, timeout_seconds=timeout_seconds / 2)
    if step is Step.LOOK_UP_THEN_GIVE_UP:
        return if_not_found
    return Unknown(reason="the gateway has no record of it yet, and a call for it may still be on its way")


def _checked_answer(
    request: Request, *, gateway: Gateway, step: Step, if_not_found: Declined, timeout_seconds: float
) -> Outcome | NotAttempted:
    """What the gateway answered. An answer that the database can't keep, and a fault of the gateway, are Unknown."""
    try:
        answer = _call(request, gateway=gateway, step=step, if_not_found=if_not_found, timeout_seconds=timeout_seconds)
        problem = unkeepable(answer)
    except Exception as error:
        logger.exception("the gateway failed", extra={"event": "gateway.fault", "key": str(request.key)})
        return Unknown(reason=f"{type(error).__name__} while the gateway was called")
    if isinstance(answer, Unknown | NotAttempted):
        answer = replace(answer, reason=readable(answer.reason))
    if isinstance(answer, NotAttempted) and answer.this_request_only:
        extra = {"event": "gateway.not_taken", "reason": answer.reason, "key": str(request.key)}
        logger.error("the gateway rejected one request, and no money was moved", extra=extra)
    if isinstance(answer, NotFound):
        problem = "the gateway found nothing, where it should have moved money"
    if problem:
        # One answer that the database refuses would hold up the outcomes of the whole batch.
        logger.error(problem, extra={"event": "gateway.garbage", "key": str(request.key)})
        return Unknown(reason=problem)
    if isinstance(answer, Succeeded) and (problem := contradiction(request, answer)):
        return Unknown(reason=problem, needs_review=True, reference=answer.reference)
    return answer


def _leased_elsewhere(model: type[GatewayAttempt], ids: Collection[uuid.UUID], gateway: str) -> list[uuid.UUID]:
    """Those of the rows that another worker holds the lease of.

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
