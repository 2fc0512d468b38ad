"""Asking the gateway: many requests at once, with no transaction open, none that could outlast its lease."""

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from django.conf import settings

from payments.gateways import (
    Answer,
    Declined,
    NotAttempted,
    NotFound,
    Outcome,
    PaymentRequest,
    RefundRequest,
    Succeeded,
    Unknown,
    contradiction,
    readable,
    unkeepable,
)

logger = logging.getLogger(__name__)

SETTLING_SECONDS = 5.0
"""Kept back from the time that is left, to settle what was answered."""

MOST_ALONE = 20
"""So many requests in a row that the gateway doesn't take, each for its own sake, and it isn't about any one of them.
Asked in an order that says nothing of the accounts, a pack of 500 comes to such a row less than once in a thousand
times even where every second request is a bad one. Where all are, it costs twenty calls to find out."""

AnyRequest = TypeVar("AnyRequest", PaymentRequest, RefundRequest)


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking: outcomes by key, and the keys that were not asked about, or that nobody took in.

    `refused` says why the gateway takes no requests at present; empty when it does. `not_taken` are those that it
    doesn't take while it takes others: to try them at once would help nobody. Where it takes none they are not reached.
    """

    outcomes: dict[uuid.UUID, Outcome]
    not_reached: list[uuid.UUID]
    not_taken: list[uuid.UUID]
    refused: str


class Door:
    """Whether the gateway takes requests, by what it answered so far. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alone_in_a_row = 0
        self.refused = ""

    def heard(self, answer: Outcome | NotAttempted) -> None:
        with self._lock:
            if isinstance(answer, Succeeded | Declined):
                self._alone_in_a_row = 0
            if not isinstance(answer, NotAttempted):
                # An Unknown says nothing of whether others are taken.
                return
            if not answer.alone:
                self.refused = self.refused or answer.reason
                return
            self._alone_in_a_row += 1
            if self._alone_in_a_row >= MOST_ALONE:
                self.refused = self.refused or f"{answer.reason} ({MOST_ALONE} requests in a row)"


def ask_all(
    *,
    requests: Sequence[AnyRequest],
    ask: Callable[[AnyRequest, float], Answer],
    seconds_left: Callable[[], float],
    left_at_lease: float,
) -> Asked:
    """Ask for each request (`ask` gets its seconds), `PAYMENT_COLLECTORS` at once, as long as there is time.

    Once the gateway takes no requests, those that wait aren't tried. One that it doesn't take for that request's own
    sake holds up no other, and is logged as an error.

    `seconds_left` says how long the caller may work, and `left_at_lease` is what it said no later than the lease began.
    """
    if not requests:
        return Asked({}, [], [], "")
    timeout = settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS
    door = Door()

    def attempt(request: AnyRequest) -> Outcome | NotAttempted | None:
        # Looked at when the request's turn comes, not when it was queued.
        left = seconds_left()
        in_time = left >= timeout + SETTLING_SECONDS
        # A call must be over before the lease is, or another delivery would call for the same row meanwhile.
        in_lease = left_at_lease - left <= settings.PAYMENT_LEASE_SECONDS - timeout
        if door.refused or not (in_time and in_lease):
            return None
        answer = _answer(request, ask, timeout)
        door.heard(answer)
        return answer

    workers = min(settings.PAYMENT_COLLECTORS, len(requests))
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="ask") as pool:
        futures: dict[uuid.UUID, Future[Outcome | NotAttempted | None]] = {
            request.key: pool.submit(attempt, request) for request in _in_no_order(requests)
        }
        answers = {key: future.result() for key, future in futures.items()}
    not_taken = [key for key, answer in answers.items() if isinstance(answer, NotAttempted)]
    not_reached = [key for key, answer in answers.items() if answer is None]
    return Asked(
        outcomes={
            key: answer
            for key, answer in answers.items()
            if answer is not None and not isinstance(answer, NotAttempted)
        },
        not_reached=not_reached + not_taken if door.refused else not_reached,
        not_taken=[] if door.refused else not_taken,
        refused=door.refused,
    )


def _in_no_order(requests: Sequence[AnyRequest]) -> list[AnyRequest]:
    """By the random end of their keys: accounts that were imported together, wrong together, don't come in a row.

    The same each time, so that what a test or a person sees can be seen again.
    """
    return sorted(requests, key=lambda request: request.key.bytes[::-1])


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
    if isinstance(answer, Unknown | NotAttempted):
        answer = replace(answer, reason=readable(answer.reason))
    if isinstance(answer, NotAttempted) and answer.alone:
        extra = {"event": "gateway.not_taken", "reason": answer.reason} | about
        logger.error("the gateway doesn't take one request, and nothing was moved", extra=extra)
    if isinstance(answer, NotFound):
        problem = "the gateway found nothing, where it should have moved money"
    if problem:
        # One answer that the database refuses would keep the whole pack from being settled.
        logger.error(problem, extra={"event": "gateway.garbage"} | about)
        return Unknown(reason=problem)
    if isinstance(answer, Succeeded) and (problem := contradiction(request, answer)):
        return Unknown(reason=problem, needs_person=True, reference=answer.reference)
    return answer
