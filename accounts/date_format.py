"""Days as people and files write them: `YYYY-MM-DD`, and nothing else."""

import datetime
import re

from accounts.billing_calendar import DayOutOfRange, in_range

_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class NotABillingDay(ValueError):
    """The text isn't a date written `YYYY-MM-DD`, or lies outside the range of billing dates."""


def billing_day_from(text: str) -> datetime.date:
    """The day that `text` names. Raises `NotABillingDay`, which says what is wrong with it."""
    # The standard library's parser takes 20261122 and 2026-W47-7 too.
    if not _WRITTEN.fullmatch(text):
        raise NotABillingDay(f"{text!r} is not a date written YYYY-MM-DD")
    try:
        return in_range(datetime.date.fromisoformat(text))
    except DayOutOfRange as error:
        raise NotABillingDay(str(error)) from None
    except ValueError:
        raise NotABillingDay(f"{text!r} is not a day of the calendar") from None
