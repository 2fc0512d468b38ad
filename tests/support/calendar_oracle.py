"""Billing dates by the textbook: months by `calendar.monthrange`, days by ordinals; nothing of the product's own."""

import calendar
import datetime
import itertools
from collections.abc import Iterator

from accounts.billing_calendar import Interval

_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}


def oracle_start(anchor: datetime.date, interval: Interval, index: int) -> datetime.date:
    """The first day of period `index`."""
    if interval.unit in _DAYS:
        return datetime.date.fromordinal(anchor.toordinal() + _DAYS[interval.unit] * interval.count * index)
    months = anchor.year * 12 + anchor.month - 1 + _MONTHS[interval.unit] * interval.count * index
    year, month = months // 12, months % 12 + 1
    return datetime.date(year, month, min(anchor.day, calendar.monthrange(year, month)[1]))


def oracle_starts(anchor: datetime.date, interval: Interval) -> Iterator[datetime.date]:
    """The first days of all periods, from the anchor on."""
    return (oracle_start(anchor, interval, index) for index in itertools.count())
