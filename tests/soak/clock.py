"""The one clock of months that pass in a minute: the platform's and the provider's alike."""

import datetime
from dataclasses import dataclass


@dataclass
class Clock:
    now: datetime.datetime

    def __call__(self) -> datetime.datetime:
        return self.now

    @property
    def today(self) -> datetime.date:
        return self.now.date()

    def advance_to(self, day: datetime.date, hour: int) -> None:
        self.now = datetime.datetime.combine(day, datetime.time(hour), datetime.UTC)

    def advance(self, **by: int) -> None:
        self.now += datetime.timedelta(**by)
