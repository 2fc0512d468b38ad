"""The billing day: interfaces read the clock, billing goes by the date it shows in the billing time zone."""

import datetime
from zoneinfo import ZoneInfo

from django.conf import settings


def billing_day(now: datetime.datetime) -> datetime.date:
    """The date of the instant `now` (aware) in `BILLING_TIME_ZONE`."""
    return now.astimezone(ZoneInfo(settings.BILLING_TIME_ZONE)).date()
