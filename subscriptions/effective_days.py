"""When something is to happen: now, at the end of the running period, or on a date."""

import datetime

from django.db import models

from accounts.billing_calendar import DayOutOfRange, in_range
from accounts.errors import Invalid


class At(models.TextChoices):
    """When something is to happen, where it isn't a date."""

    NOW = "now"
    PERIOD_END = "period_end"


class UnusableDay(Invalid):
    """It is no date, past, or before what it is to follow."""

    code = "unusable-day"


def usable_day(day: datetime.date | str, *, name: str, earliest: datetime.date) -> datetime.date:
    """The day that the field `name` gives. Raises `UnusableDay` where it is no date, is before `earliest`, or is out of
    range.
    """
    if not isinstance(day, datetime.date):
        raise UnusableDay("Nothing was changed.", **{name: f"Must be {At.NOW}, {At.PERIOD_END} or a date."})
    try:
        in_range(day)
    except DayOutOfRange as error:
        raise UnusableDay("Nothing was changed.", **{name: f"{error}."}) from None
    if day < earliest:
        raise UnusableDay("Nothing was changed.", **{name: f"Must be {earliest} or later."})
    return day
