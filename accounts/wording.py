"""Numbers and periods in the sentences that people read."""

import datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 period", "1,200 periods"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def period_in_words(*, start: datetime.date, end: datetime.date) -> str:
    """The period `[start, end)` with its last day: "30 Nov to 6 Dec 2026". A year is repeated only if it differs."""
    last = end - datetime.timedelta(days=1)
    if start == last:
        return _day_in_words(last, with_year=True)
    return f"{_day_in_words(start, with_year=start.year != last.year)} to {_day_in_words(last, with_year=True)}"


def _day_in_words(day: datetime.date, *, with_year: bool) -> str:
    # Not `strftime`, whose month names follow the process's locale.
    return f"{day.day} {_MONTHS[day.month - 1]}" + (f" {day.year}" if with_year else "")
