"""Asking the gateway: many requests at once, with no transaction open, none that could outlast its lease."""

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from django.conf import settings

from payments.gateways import (
    Answer,
    NotAttempted,
    NotFound,
    Outcome,
    PaymentRequest,
    RefundRequest,
    Succeeded,
    Unknown,
    contradiction,
    unkeepable,
)

logger = logging.getLogger(__name__)

SETTLING_SECONDS = 5.0
"""Kept back from the time that is left, to settle what was answered."""

AnyRequest = TypeVar("AnyRequest", PaymentRequest, RefundRequest)


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking: outcomes by key, and the keys that were not asked about, or that nobody took in.

    `refused` says why the gateway takes no requests at present; empty when it does.
    """

    outcomes: dict[uuid.UUID, Outcome]
    not_reached: list[uuid.UUID]
    refused: str


def ask_all(
    *,
    requests: Sequence[AnyRequest],
    ask: Callable[[AnyRequest, float], Answer],
    seconds_left: Callable[[], float],
    left_at_lease: float,
) -> Asked:
    """Ask for each request (`ask` gets its seconds), `PAYMENT_COLLECTORS` at once, as long as there is time.

    Once the gateway takes no requests, those that wait aren't tried.

    `seconds_left` says how long the caller may work, and `left_at_lease` is what it said no later than the lease began.
    """
    if not requests:
        return Asked({}, [], "")
    timeout = settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS
    closed = threading.Event()

    def attempt(request: AnyRequest) -> Outcome | NotAttempted | None:
        # Looked at when the request's turn comes, not when it was queued.
        left = seconds_left()
        in_time = left >= timeout + SETTLING_SECONDS
        # A call must be over before the lease is, or another delivery would call for the same row meanwhile.
        in_lease = left_at_lease - left <= settings.PAYMENT_LEASE_SECONDS - timeout
        if closed.is_set() or not (in_time and in_lease):
            return None
        answer = _answer(request, ask, timeout)
        if isinstance(answer, NotAttempted):
            closed.set()
        return answer

    workers = min(settings.PAYMENT_COLLECTORS, len(requests))
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="ask") as pool:
        futures: dict[uuid.UUID, Future[Outcome | NotAttempted | None]] = {
            request.key: pool.submit(attempt, request) for request in requests
        }
        answers = {key: future.result() for key, future in futures.items()}
    refusals = [answer.reason for answer in answers.values() if isinstance(answer, NotAttempted)]
    return Asked(
        outcomes={
            key: answer
            for key, answer in answers.items()
            if answer is not None and not isinstance(answer, NotAttempted)
        },
        not_reached=[key for key, answer in answers.items() if answer is None or isinstance(answer, NotAttempted)],
        refused=refusals[0] if refusals else "",
    )


def _answer(
    request: AnyRequest, ask: Callable[[AnyRequest, float], Answer], timeout_seconds: float
) -> Outcome | NotAttempted:
    """What the gateway answered. An answer that can't be kept, and a fault of the gateway, are Unknown."""
    about = {"key": str(request.key)}
    try:
        answer = ask(request, timeout_seconds)
        problem = unkeepable(answer)
    except Exception as error:
        logger.exception("the gateway failed", extra={"event": "gateway.fault"} | about)
        return Unknown(reason=f"{type(error).__name__} while the gateway was asked")
    if isinstance(answer, NotFound):
        problem = "the gateway found nothing, where it should have moved money"
    if problem:
        # One answer that the database refuses would keep the whole pack from being settled.
        logger.error(problem, extra={"event": "gateway.garbage"} | about)
        return Unknown(reason=problem)
    if isinstance(answer, Succeeded) and (problem := contradiction(request, answer)):
        return Unknown(reason=problem, needs_person=True, reference=answer.reference)
    return answer
