"""Proration: what a change of price within a billing period credits and charges. Pure; dates and minor units in and
out.

Days are `[start, end)`, and the day of a change belongs to the new price. What a period is to cost in all is the
day-weighted price of its segments, rounded half up once. The charge is the new price of the days left, rounded half up;
the credit is what brings the period to its total, so that it is right to half a minor unit however often it changes.
"""

import datetime
from collections.abc import Sequence
from typing import NamedTuple

from invoices.rounding import half_up


class Segment(NamedTuple):
    """From a day on, a whole period would cost so much, net, in minor units: until the next segment, or the end."""

    since: datetime.date
    price_minor: int


class Prorated(NamedTuple):
    """What a change credits for the days that aren't used, and charges for the days left; in minor units."""

    credit_minor: int
    charge_minor: int

    @property
    def net_minor(self) -> int:
        """What is still to be paid; below zero, what is given back."""
        return self.charge_minor - self.credit_minor


def weighted_total(*, start: datetime.date, end: datetime.date, segments: Sequence[Segment]) -> int:
    """What the period `[start, end)` costs in all, rounded half up.

    The segments are in order, and the first begins on the first day. One that begins with the next has no days.
    """
    ends = [segment.since for segment in segments[1:]] + [end]
    weighted = sum(
        segment.price_minor * (until - segment.since).days for segment, until in zip(segments, ends, strict=True)
    )
    return half_up(weighted, (end - start).days)


def prorate(
    *,
    start: datetime.date,
    end: datetime.date,
    segments: Sequence[Segment],
    day: datetime.date,
    price_minor: int,
    billed_minor: int,
    left_minor: int,
) -> Prorated:
    """What it takes to bill the period `[start, end)` at another price, of a whole period, from `day` on.

    The segments are its prices so far, none later than `day`, a day of the period. `billed_minor` is what it was billed
    for, less what changes of its price gave back, and `left_minor` what is left of that to give back: less, where a
    person has credited some of it. That stays given back: no more goes back than what is left, beyond what is charged.
    """
    after = weighted_total(start=start, end=end, segments=[*segments, Segment(day, price_minor)])
    charge = half_up(price_minor * (end - day).days, (end - start).days)
    credit = billed_minor + charge - after
    if credit < 0:
        # Nothing is unused, and the rounded parts fall short of their rounded sum.
        charge, credit = charge - credit, 0
    return Prorated(credit_minor=min(credit, left_minor + charge), charge_minor=charge)
