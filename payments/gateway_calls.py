"""Calling the gateway for payments and refunds: many at once, no transaction open, none that could outlast its lease.

A row is recorded SUBMITTED before this begins, and its outcome is recorded after. Cut off in between, it stays
SUBMITTED, and a redelivery submits it again under the same key, as long as the gateway surely remembers that key. From
then on, and where the outcome is UNKNOWN, the gateway is asked what became of it (`next_step`).
"""

import datetime
import logging
import uuid
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from django.conf import settings

from payments.circuit_breaker import CircuitBreaker
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
    """Outcomes by row, the rows not reached in time, and the rows that another worker holds the lease of.

    `stop_reason` says why the gateway takes no requests at present: then no row that wasn't reached should be tried at
    once. It is empty while the gateway takes requests. Rows that it rejects while it takes others are in none of these:
    they stay as they are and are sent again hours later, until the deadline marks them for review.
    """

    outcomes: dict[uuid.UUID, Outcome]
    not_reached: list[uuid.UUID]
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

    Calls `PAYMENT_COLLECTORS` at once. `seconds_left` says how long the caller may still work; rows are leased from
    `clock()` on. Rows whose outcome is known are left out. Once the gateway takes no requests, the rest isn't tried. A
    request that it rejects by itself holds up no other, and is logged as an error.
    """
    now = clock()
    lease = take_lease(model=model, ids=ids, gateway=gateway.name, now=now)
    steps = {
        id_: next_step(first_called_at=first, now=now, unknown=id_ in lease.unknown)
        for id_, first in lease.first_called_at.items()
    }
    breaker, timeout = CircuitBreaker(), settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS

    def attempt(request: Request) -> Outcome | NotAttempted | None:
        """The answer, or None where there is no time for the call."""
        # Checked when the request's turn comes, not when it was queued.
        in_time = seconds_left() >= timeout + RECORDING_SECONDS
        # A call must be over before the lease is, or another delivery would call for the same row meanwhile.
        in_lease = clock() + datetime.timedelta(seconds=timeout) <= lease.until
        if breaker.open_reason or not (in_time and in_lease):
            return None
        answer = _checked_answer(request, gateway=gateway, step=steps[request.key], timeout_seconds=timeout)
        breaker.record(answer)
        return answer

    requests = _in_random_order(model.gateway_requests(steps.keys()))
    with ThreadPoolExecutor(max_workers=settings.PAYMENT_COLLECTORS, thread_name_prefix="gateway") as pool:
        answers = dict(zip([request.key for request in requests], pool.map(attempt, requests), strict=True))
    outcomes = {key: answer for key, answer in answers.items() if isinstance(answer, Outcome)}
    lease.release([key for key in answers if key not in outcomes])
    return CallResults(
        outcomes=outcomes,
        not_reached=[
            key for key, answer in answers.items() if answer is None or (breaker.open_reason and key not in outcomes)
        ],
        leased_elsewhere=_leased_elsewhere(model, [id_ for id_ in ids if id_ not in steps], gateway.name),
        stop_reason=breaker.open_reason,
    )


def _in_random_order(requests: Sequence[Request]) -> list[Request]:
    """By the random end of their keys: accounts that were imported together, all of them wrong, don't come in a row.

    The order is the same each time, so that what a test or a person sees can be seen again.
    """
    return sorted(requests, key=lambda request: request.key.bytes[::-1])


def _call(request: Request, *, gateway: Gateway, step: Step, timeout_seconds: float) -> Answer:
    if step is Step.SUBMIT:
        return gateway.submit(request, timeout_seconds=timeout_seconds)
    # At most two calls, within the time of one.
    found = gateway.look_up(request, timeout_seconds=timeout_seconds / 2)
    if not isinstance(found, NotFound):
        return found
    if step is Step.LOOK_UP_THEN_SUBMIT:
        return gateway.submit(request, timeout_seconds=timeout_seconds / 2)
    if step is Step.LOOK_UP_THEN_GIVE_UP:
        return Declined(code=NEVER_RECEIVED)
    return Unknown(reason="the gateway has no record of it yet, and a call for it may still be on its way")


def _checked_answer(
    request: Request, *, gateway: Gateway, step: Step, timeout_seconds: float
) -> Outcome | NotAttempted:
    """What the gateway answered. An answer that the database can't keep, and a fault of the gateway, are Unknown."""
    about = {"key": str(request.key)}
    try:
        answer = _call(request, gateway=gateway, step=step, timeout_seconds=timeout_seconds)
        problem = unkeepable(answer)
    except Exception as error:
        logger.exception("the gateway failed", extra={"event": "gateway.fault"} | about)
        return Unknown(reason=f"{type(error).__name__} while the gateway was called")
    if isinstance(answer, Unknown | NotAttempted):
        answer = replace(answer, reason=readable(answer.reason))
    if isinstance(answer, NotAttempted) and answer.this_request_only:
        extra = {"event": "gateway.not_taken", "reason": answer.reason} | about
        logger.error("the gateway rejected one request, and no money was moved", extra=extra)
    if isinstance(answer, NotFound):
        problem = "the gateway found nothing, where it should have moved money"
    if problem:
        # One answer that the database refuses would hold up the outcomes of the whole batch.
        logger.error(problem, extra={"event": "gateway.garbage"} | about)
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
