"""The billing calendar: which periods an anchor date and an interval give. Pure; dates in, dates out.

Period n starts at anchor + n intervals, always computed from the anchor and never from the previous date, and
clamped to the month's last day: an anchor on Jan 31 bills Jan 31, Feb 28, Mar 31, Apr 30. A yearly anchor on
Feb 29 bills Feb 28 in common years. Periods are half-open, `[start, end)`, and tile time: no gap, no overlap.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import count

from dateutil.relativedelta import relativedelta

FIRST_DAY = datetime.date(1970, 1, 1)
LAST_DAY = datetime.date(2200, 12, 31)
"""The range of billing dates. A date outside it is a typing error."""

MAX_DUE_PERIODS = 36
"""The most due periods of one account. With more, something is wrong, and a person decides before it is charged."""

_DAYS_PER_UNIT = {"day": 1, "week": 7}
_MONTHS_PER_UNIT = {"month": 1, "year": 12}


class DayOutOfRange(ValueError):
    """A date lies outside `FIRST_DAY` to `LAST_DAY`."""


class IntervalUnit(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Interval:
    """How long a period is: `count` (1 or more) of `unit`."""

    count: int
    unit: IntervalUnit


@dataclass(frozen=True, slots=True)
class Period:
    """A billing period, `[start, end)`."""

    start: datetime.date
    end: datetime.date


def in_range(day: datetime.date) -> datetime.date:
    """Return `day`. Raises `DayOutOfRange` unless it lies from `FIRST_DAY` to `LAST_DAY`."""
    if not FIRST_DAY <= day <= LAST_DAY:
        raise DayOutOfRange(f"{day.isoformat()} is not between {FIRST_DAY.isoformat()} and {LAST_DAY.isoformat()}")
    return day


def period_start(*, anchor: datetime.date, interval: Interval, index: int) -> datetime.date:
    """The first day of period `index` (0 starts on the anchor)."""
    if days := _DAYS_PER_UNIT.get(interval.unit):
        return anchor + datetime.timedelta(days=days * interval.count * index)
    return anchor + relativedelta(months=_MONTHS_PER_UNIT[interval.unit] * interval.count * index)


def period(*, anchor: datetime.date, interval: Interval, index: int) -> Period:
    """Period `index`, both ends."""
    return Period(
        start=period_start(anchor=anchor, interval=interval, index=index),
        end=period_start(anchor=anchor, interval=interval, index=index + 1),
    )


def index_on_or_after(*, anchor: datetime.date, interval: Interval, day: datetime.date) -> int:
    """The index of the first period that starts on or after `day`; 0 when the anchor is still to come."""
    if day <= anchor:
        return 0
    if days := _DAYS_PER_UNIT.get(interval.unit):
        return -(-(day - anchor).days // (days * interval.count))
    months = (day.year - anchor.year) * 12 + day.month - anchor.month
    index = months // (_MONTHS_PER_UNIT[interval.unit] * interval.count)
    # A start in the right month may still lie before the day; the next one can't.
    return index if period_start(anchor=anchor, interval=interval, index=index) >= day else index + 1


def first_start_on_or_after(*, anchor: datetime.date, interval: Interval, day: datetime.date) -> datetime.date:
    """The first period start on or after `day`."""
    index = index_on_or_after(anchor=anchor, interval=interval, day=day)
    return period_start(anchor=anchor, interval=interval, index=index)


def is_period_start(*, anchor: datetime.date, interval: Interval, day: datetime.date) -> bool:
    """Whether a period of this anchor starts on `day`."""
    return first_start_on_or_after(anchor=anchor, interval=interval, day=day) == day


def periods_due(
    *, anchor: datetime.date, interval: Interval, since: datetime.date, as_of: datetime.date
) -> Iterator[Period]:
    """The periods that start from `since` to `as_of`, both included, in order."""
    for index in count(index_on_or_after(anchor=anchor, interval=interval, day=since)):
        due = period(anchor=anchor, interval=interval, index=index)
        if due.start > as_of:
            return
        yield due
