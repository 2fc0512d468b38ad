"""Numbers and periods in the sentences that people read."""

import datetime
from collections.abc import Sequence

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: "1 period", "1,200 periods"; `plural` where that is more than an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural or f'{noun}s'}"


def one_of(values: Sequence[str]) -> str:
    """A sentence for a value that isn't any of these: "Must be day, week or month."."""
    *others, last = values
    return f"Must be {', '.join(others)} or {last}." if others else f"Must be {last}."


def period_in_words(*, start: datetime.date, end: datetime.date) -> str:
    """The period `[start, end)` with its last day: "30 Nov to 6 Dec 2026". A year is repeated only if it differs."""
    last = end - datetime.timedelta(days=1)
    if start == last:
        return day_in_words(last)
    return f"{day_in_words(start, with_year=start.year != last.year)} to {day_in_words(last)}"


def day_in_words(day: datetime.date, *, with_year: bool = True) -> str:
    """A day: "6 Dec 2026"."""
    # Not `strftime`, whose month names follow the process's locale.
    return f"{day.day} {_MONTHS[day.month - 1]}" + (f" {day.year}" if with_year else "")
