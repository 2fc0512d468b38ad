"""How often the provider may be called (https://docs.stripe.com/rate-limits)."""

import threading
import time


class RateLimit:
    """At most so many calls within any second; 0 is no limit. Safe for several threads.

    `allowed` and `refused` are when calls were, by the monotonic clock, and are kept only where there is a limit.
    """

    def __init__(self, calls_per_second: int) -> None:
        self._calls_per_second = calls_per_second
        self._lock = threading.Lock()
        self.allowed: list[float] = []
        self.refused: list[float] = []

    def allows(self) -> bool:
        """Whether the call is taken. A refused one counts for nothing."""
        if not self._calls_per_second:
            return True
        with self._lock:
            now = time.monotonic()
            before = self.allowed[-self._calls_per_second :]
            allowed = len(before) < self._calls_per_second or before[0] <= now - 1
            (self.allowed if allowed else self.refused).append(now)
            return allowed
