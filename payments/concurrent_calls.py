"""Calling the gateway for many requests at once, in threads: as fast as it answers, or at a rate."""

import datetime
import logging
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from queue import Empty, SimpleQueue

from django.db import DatabaseError

from payments.call_rate import CallRate, Turns
from payments.gateways.port import NotAttempted, Outcome, Request

logger = logging.getLogger(__name__)

_UNKNOWN_RATE = {"event": "gateway.no_rate"}

CallAnswer = Outcome | NotAttempted | None
"""None where there was no time for the call."""
Call = Callable[[Request], CallAnswer]
Answers = dict[uuid.UUID, CallAnswer]
"""By the requests' keys."""


def call_at_once(requests: Sequence[Request], call: Call, *, threads: int) -> Answers:
    """Call as fast as the gateway answers: each thread takes the next request when it is free.

    A future for each request would take longer than recording its outcome does.
    """
    waiting: SimpleQueue[Request] = SimpleQueue()
    for request in requests:
        waiting.put(request)
    answers: Answers = {}

    def call_until_none_waits() -> None:
        with suppress(Empty):
            while True:
                request = waiting.get_nowait()
                answers[request.key] = call(request)

    with _pool(threads) as pool:
        for thread in [pool.submit(call_until_none_waits) for _ in range(min(threads, len(requests)))]:
            thread.result()
    return answers


def call_at_rate(
    requests: Sequence[Request], call: Call, *, threads: int, rate: CallRate, seconds_to_begin: Callable[[], float]
) -> Answers:
    """Call at the rate: each call begins when its turn at the rate has come and a thread is free for it.

    When the gateway was called too often, all workers wait, and the request has another turn. `seconds_to_begin` says
    within how many seconds a call must begin: what would have its turn later isn't called, nor is anything once the
    database gives no turns. What was called until then has its answer.
    """
    waiting, answers = deque(requests), Answers()
    calling: dict[Future[CallAnswer], Request] = {}
    with _pool(threads) as pool:
        while waiting or calling:
            if waiting and len(calling) < threads:
                # Never more than can begin: a turn that is taken late would be one call too many then.
                turns = _turns(rate, min(threads - len(calling), len(waiting)), seconds_to_begin)
                if turns is None:
                    answers |= dict.fromkeys(request.key for request in waiting)
                    waiting.clear()
                for _ in turns.in_time() if turns else ():
                    request = waiting.popleft()
                    calling[pool.submit(call, request)] = request
            for future in wait(calling, return_when=FIRST_COMPLETED).done:
                request, answer = calling.pop(future), future.result()
                if isinstance(answer, NotAttempted) and answer.retry_after is not None:
                    _pause(rate, answer.retry_after)
                    waiting.append(request)
                else:
                    answers[request.key] = answer
    return answers


def _turns(rate: CallRate, calls: int, seconds_to_begin: Callable[[], float]) -> Turns | None:
    """The turns of these calls, or of the first of them; None where the first comes too late."""
    if seconds_to_begin() < 0:
        return None
    try:
        turns = rate.reserve(calls)
    except DatabaseError:
        logger.exception("the gateway's rate can't be read, and no more calls are made", extra=_UNKNOWN_RATE)
        return None
    return turns if turns.delay.total_seconds() <= seconds_to_begin() else None


def _pause(rate: CallRate, duration: datetime.timedelta) -> None:
    try:
        rate.pause(duration)
    except DatabaseError:
        # The next turn isn't given either.
        logger.exception("the other workers can't be asked to wait", extra=_UNKNOWN_RATE)


def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=threads, thread_name_prefix="gateway")
