"""The billing day: an instant's date in the billing time zone. Interfaces read the clock; billing uses the date."""

import datetime
from zoneinfo import ZoneInfo

from django.conf import settings


def billing_day(now: datetime.datetime) -> datetime.date:
    """The date of the instant `now` (aware) in `BILLING_TIME_ZONE`."""
    return now.astimezone(ZoneInfo(settings.BILLING_TIME_ZONE)).date()


def start_of_day(day: datetime.date) -> datetime.datetime:
    """The first instant of a billing day, in `BILLING_TIME_ZONE`."""
    return datetime.datetime.combine(day, datetime.time.min, tzinfo=ZoneInfo(settings.BILLING_TIME_ZONE))
