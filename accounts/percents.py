"""Percentages: decimals of at most three places, and their thousandths, with which amounts are reckoned."""

from decimal import Decimal

WHOLE = 100_000
"""A hundred percent, in thousandths of one."""


def thousandths(percent: Decimal) -> int:
    """`8.875` is 8875. Raises `ValueError` for more than three places: nothing is rounded."""
    scaled = percent.scaleb(3)
    if scaled != int(scaled):
        raise ValueError(f"{percent} has more than three decimal places")
    return int(scaled)


def percent_error(percent: Decimal, *, zero_allowed: bool) -> str:
    """Why this can't be a percentage of a price, in a sentence, or an empty string."""
    minimum = Decimal(0) if zero_allowed else Decimal("0.001")
    if not percent.is_finite() or not minimum <= percent <= 100:
        return f"Must be from {minimum} to 100."
    if percent.scaleb(3) != int(percent.scaleb(3)):
        return "Must have at most three decimal places."
    return ""


def shown_percent(percent: Decimal) -> str:
    """Without zeros at its end: `21`, `8.875`."""
    text = f"{percent:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
