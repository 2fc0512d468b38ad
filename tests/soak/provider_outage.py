"""Outages of the provider: two days each, just after it was called and before any look-up of what it left unanswered.

It forgets its idempotency keys meanwhile. By the time of the look-ups, payments may not be submitted again any more.
"""

import datetime
import random
from dataclasses import dataclass

from localcloud.simulated_stripe.faults import Fault, FaultPlan, Kind
from localcloud.simulated_stripe.provider import SimulatedProvider

LASTS = datetime.timedelta(hours=48)
APART = datetime.timedelta(days=9)
"""From one beginning to the next, so that unknown payments are looked up for days before they need review."""
SHARE = 0.4
"""Of the days on which an outage may begin. On days on which workers are killed it always does."""


@dataclass
class Outages:
    """During an outage the provider answers every call with 429, or with 503; drawn for each outage."""

    provider: SimulatedProvider
    choices: random.Random
    begun_at: datetime.datetime | None = None
    usual: FaultPlan | None = None
    times: int = 0

    @property
    def going_on(self) -> bool:
        return self.usual is not None

    def begins(self, *, now: datetime.datetime, certainly: bool) -> bool:
        """Whether one begins today, once the provider was called."""
        if self.begun_at is not None and now - self.begun_at < APART:
            return False
        return certainly or self.choices.random() < SHARE

    def begin(self, *, now: datetime.datetime) -> None:
        fault = Fault(kind=self.choices.choice([Kind.RATE_LIMIT, Kind.ERROR_BEFORE]))
        self.begun_at, self.usual = now, self.provider.faults
        self.provider.faults = FaultPlan(percent={fault: 100}, reading_percent={fault: 100})
        self.times += 1

    def end_when_over(self, *, now: datetime.datetime) -> None:
        if self.usual and self.begun_at and now - self.begun_at >= LASTS:
            self.provider.faults, self.usual = self.usual, None
