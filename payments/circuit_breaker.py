"""A circuit breaker: stops calls to the gateway once it takes no requests at all."""

import logging
import threading
import time
from collections.abc import Callable

from payments.gateways.port import Declined, NotAttempted, Outcome, Succeeded

MAX_CONSECUTIVE_REJECTIONS = 20
"""After so many rejections in a row, each said to be about one request, the gateway takes no requests at all. Calls are
made in random order, so a batch of 500 gets there by chance less than once in a thousand times, even if every second
request is bad. If all of them are, finding out costs twenty calls."""
MAX_REFUSED_SECONDS = 30
"""After so long in which each request was one too many, the gateway takes no requests at all."""

logger = logging.getLogger(__name__)


class CircuitBreaker:
    """Open once the gateway takes no requests. Safe for several threads.

    `open_reason` says why the gateway takes no requests; it is empty while the breaker is closed. `waits`: calls are
    made at a rate, which waits when the gateway was called too often, so that this opens nothing for a while. `seconds`
    is any clock that goes on evenly.
    """

    def __init__(self, *, waits: bool = False, seconds: Callable[[], float] = time.monotonic) -> None:
        self._waits, self._seconds = waits, seconds
        self._lock = threading.Lock()
        self._consecutive_rejections = 0
        self._refused_since: float | None = None
        self.open_reason = ""

    def record(self, answer: Outcome | NotAttempted) -> None:
        """Count an answer. An Unknown doesn't say whether the gateway takes requests, so it changes nothing."""
        with self._lock:
            if isinstance(answer, Succeeded | Declined):
                self._consecutive_rejections, self._refused_since = 0, None
            elif isinstance(answer, NotAttempted) and answer.retry_after is not None and self._waits:
                self._count_refused(answer)
            elif isinstance(answer, NotAttempted) and not answer.this_request_only:
                self._open(answer.reason)
            elif isinstance(answer, NotAttempted):
                self._consecutive_rejections += 1
                if self._consecutive_rejections >= MAX_CONSECUTIVE_REJECTIONS:
                    self._open(f"{answer.reason} ({MAX_CONSECUTIVE_REJECTIONS} requests in a row)")

    def _count_refused(self, answer: NotAttempted) -> None:
        now = self._seconds()
        if self._refused_since is None:
            self._refused_since = now
            extra = {"event": "gateway.too_often", "reason": answer.reason}
            logger.warning("the gateway is called too often, and is waited for", extra=extra)
        elif now - self._refused_since >= MAX_REFUSED_SECONDS:
            self._open(f"{answer.reason} (for {MAX_REFUSED_SECONDS} seconds)")

    def _open(self, reason: str) -> None:
        self.open_reason = self.open_reason or reason
