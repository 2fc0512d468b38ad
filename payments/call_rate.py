"""The rate at which the gateway is called: one for all workers, who share it through the database."""

import datetime
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

from accounts.sql_files import query

BLOCK_SECONDS = 0.25
"""So much of the rate is reserved at once: a few statements a second, and no worker waits long for its turn."""


@dataclass(frozen=True, slots=True)
class Turns:
    """The turns of some calls: the first in `delay_seconds`, and each `seconds_between` after the one before."""

    calls: int
    delay_seconds: float
    seconds_between: float

    def in_time(self) -> Iterator[int]:
        """The calls, each when its turn has come."""
        first = time.monotonic() + self.delay_seconds
        for call in range(self.calls):
            time.sleep(max(0.0, first + call * self.seconds_between - time.monotonic()))
            yield call


class CallRate:
    """At most `calls_per_second` of the gateway, by all workers together.

    A reservation is a statement of its own, so that no connection is held in a transaction while calls are made.
    """

    def __init__(self, *, gateway: str, calls_per_second: float) -> None:
        self._gateway, self._seconds_between = gateway, 1 / calls_per_second
        self._max_calls = max(1, int(calls_per_second * BLOCK_SECONDS))

    def reserve(self, calls: int) -> Turns:
        """The turns of these calls, or of the first of them."""
        calls = min(calls, self._max_calls)
        with connection.cursor() as cursor:
            cursor.execute(query(__file__, "reserve_calls"), self._for(calls * self._seconds_between))
            (delay,) = cursor.fetchone()
        return Turns(calls, max(0.0, delay), self._seconds_between)

    def pause(self, seconds: float) -> None:
        """The gateway takes no calls for so long: nobody's turn comes before."""
        with connection.cursor() as cursor:
            cursor.execute(query(__file__, "pause_calls"), self._for(seconds))

    def _for(self, seconds: float) -> dict[str, Any]:
        return {"gateway": self._gateway, "duration": datetime.timedelta(seconds=seconds)}
