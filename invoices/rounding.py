"""Rounding, in whole minor units: half up, and an amount spread over parts, which always sum to it. Pure."""

from collections.abc import Sequence


def half_up(dividend: int, divisor: int) -> int:
    """The quotient of two numbers, neither below zero, rounded to the nearest integer; a half is rounded up."""
    return (2 * dividend + divisor) // (2 * divisor)


def spread(*, amount: int, weights: Sequence[int]) -> list[int]:
    """Shares of `amount` in proportion to the weights, by largest remainder; the earlier part wins a tie.

    Weights may be below zero, their sum isn't. Each share lies between zero and its weight while the amount lies
    between zero and their sum.
    """
    total = sum(weights)
    if not total:
        return [0] * len(weights)
    shares = [amount * weight // total for weight in weights]
    remainders = [amount * weight % total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: (-remainders[place], place))
    for place in by_remainder[: amount - sum(shares)]:
        shares[place] += 1
    return shares
