"""The provider goes away for two days, just after it was asked and before anybody asked about what it left unanswered.

It forgets its keys meanwhile. What is asked about then is past the time in which it may be submitted again.
"""

import datetime
import random
from dataclasses import dataclass

from localcloud.provider.faults import Fault, FaultPlan, Kind
from localcloud.provider.simulated import SimulatedProvider

LASTS = datetime.timedelta(hours=48)
APART = datetime.timedelta(days=9)
"""From one beginning to the next, so that what is unknown is asked about for days before it needs a person."""
SHARE = 0.4
"""Of the days on which one may begin, those on which workers are killed aside: then it does."""


@dataclass
class Absences:
    """Away, the provider refuses every call (429), or answers each with a 503; drawn anew each time."""

    provider: SimulatedProvider
    choices: random.Random
    begun_at: datetime.datetime | None = None
    usual: FaultPlan | None = None
    times: int = 0

    @property
    def under_way(self) -> bool:
        return self.usual is not None

    def begins(self, *, now: datetime.datetime, surely: bool) -> bool:
        """Whether one is to begin today, once the provider was asked."""
        if self.begun_at is not None and now - self.begun_at < APART:
            return False
        return surely or self.choices.random() < SHARE

    def begin(self, *, now: datetime.datetime) -> None:
        fault = Fault(kind=self.choices.choice([Kind.RATE_LIMIT, Kind.ERROR_BEFORE]))
        self.begun_at, self.usual = now, self.provider.faults
        self.provider.faults = FaultPlan(percent={fault: 100}, asking_percent={fault: 100})
        self.times += 1

    def end_when_over(self, *, now: datetime.datetime) -> None:
        if self.usual and self.begun_at and now - self.begun_at >= LASTS:
            self.provider.faults, self.usual = self.usual, None
