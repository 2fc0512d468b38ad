"""The rate at which the gateway is called: one for all workers, who share it through the database."""

import datetime
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection

from accounts.sql_files import query

BLOCKS_A_SECOND = 4
"""A quarter of a second's calls is reserved at once: a few statements a second, and nobody waits long for a turn."""


@dataclass(frozen=True, slots=True)
class Turns:
    """The turns of some calls: the first after `delay`, and each `between` after the one before."""

    calls: int
    delay: datetime.timedelta
    between: datetime.timedelta

    def in_time(self) -> Iterator[int]:
        """The calls, each when its turn has come."""
        first = time.monotonic() + self.delay.total_seconds()
        for call in range(self.calls):
            time.sleep(max(0, first + call * self.between.total_seconds() - time.monotonic()))
            yield call


class CallRate:
    """At most `calls_per_second` of the gateway, by all workers together.

    A reservation is a statement of its own, so that no connection is held in a transaction while calls are made.
    """

    def __init__(self, *, gateway: str, calls_per_second: int) -> None:
        self._gateway, self._between = gateway, datetime.timedelta(seconds=1) // calls_per_second
        self._max_calls = max(1, calls_per_second // BLOCKS_A_SECOND)

    def reserve(self, calls: int) -> Turns:
        """The turns of these calls, or of the first of them."""
        calls = min(calls, self._max_calls)
        with connection.cursor() as cursor:
            cursor.execute(query(__file__, "reserve_calls"), self._for(calls * self._between))
            (delay,) = cursor.fetchone()
        return Turns(calls, max(datetime.timedelta(), delay), self._between)

    def pause(self, duration: datetime.timedelta) -> None:
        """The gateway takes no calls for so long: nobody's turn comes before."""
        with connection.cursor() as cursor:
            cursor.execute(query(__file__, "pause_calls"), self._for(duration))

    def _for(self, duration: datetime.timedelta) -> dict[str, Any]:
        return {"gateway": self._gateway, "duration": duration}


def configured_rate(*, gateway: str) -> CallRate | None:
    """As `PAYMENT_GATEWAY_CALLS_PER_SECOND` says; None where that is 0."""
    calls_per_second = settings.PAYMENT_GATEWAY_CALLS_PER_SECOND
    return CallRate(gateway=gateway, calls_per_second=calls_per_second) if calls_per_second else None
