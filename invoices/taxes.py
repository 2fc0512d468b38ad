"""Taxes: which rate a period has, what it comes to on an invoice, and what of it goes back with a credit note. Pure.

The one place that decides about tax. Where an engine is to decide instead (a place of supply, an exemption that is
looked up), it takes the place of `tax_rate_of`, when a period is found due, and of `taxed_lines`, when it is invoiced.
"""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from accounts.percents import WHOLE, thousandths
from invoices.rounding import half_up


class Taxed(Protocol):
    """An account, as a row or locked."""

    @property
    def tax_rate_id(self) -> uuid.UUID | None: ...


class Rate(NamedTuple):
    """How a rate is reckoned: thousandths of a percent of the price without tax, which amounts contain or don't."""

    thousandths: int
    is_inclusive: bool

    @property
    def of(self) -> int:
        """What an amount is divided by: thousandths of a percent, its own tax included where it contains it."""
        return WHOLE + self.thousandths if self.is_inclusive else WHOLE


class TaxRateLike(Protocol):
    """A tax rate, as a row."""

    @property
    def percent(self) -> Decimal: ...
    @property
    def inclusive(self) -> bool: ...


def rate_of(tax_rate: TaxRateLike) -> Rate:
    """How this row of a rate is reckoned."""
    return Rate(thousandths(tax_rate.percent), tax_rate.inclusive)


class LineTax(NamedTuple):
    """A line's tax, and what the line comes to with it; in minor units. Without tax it is their difference."""

    tax_minor: int
    total_minor: int


def tax_rate_of(account: Taxed, *, default_id: uuid.UUID | None) -> uuid.UUID | None:
    """The id of the rate at which the account is taxed: its own, or the default of the settings; None for no tax."""
    return account.tax_rate_id or default_id


def taxed_lines(*, lines: Sequence[tuple[int, uuid.UUID | None]], rates: Mapping[uuid.UUID, Rate]) -> list[LineTax]:
    """The taxes of an invoice's lines, each of which is an amount after its discount, with the id of its rate. A
    deduction, an amount below zero, has a tax below zero.

    Tax is rounded once a rate, a half away from zero, and shared over the rate's lines by largest remainder.
    """
    taxes = [0] * len(lines)
    places_of: dict[uuid.UUID, list[int]] = defaultdict(list)
    for place, (_, rate_id) in enumerate(lines):
        if rate_id is not None:
            places_of[rate_id].append(place)
    for rate_id, places in places_of.items():
        for place, tax in zip(places, _shared([lines[place][0] for place in places], rates[rate_id]), strict=True):
            taxes[place] = tax
    return [
        LineTax(tax, amount if rate_id is None or rates[rate_id].is_inclusive else amount + tax)
        for tax, (amount, rate_id) in zip(taxes, lines, strict=True)
    ]


def _shared(amounts: Sequence[int], rate: Rate) -> list[int]:
    """The tax of each amount: its own, rounded down, and one more for those of the largest remainders, so that they sum
    to the rounded tax of all.
    """
    taxes = [amount * rate.thousandths // rate.of for amount in amounts]
    remainders = [amount * rate.thousandths % rate.of for amount in amounts]
    by_remainder = sorted(range(len(amounts)), key=lambda place: (-remainders[place], place))
    for place in by_remainder[: _tax_of(sum(amounts), rate) - sum(taxes)]:
        taxes[place] += 1
    return taxes


def _tax_of(amount_minor: int, rate: Rate) -> int:
    tax = half_up(abs(amount_minor) * rate.thousandths, rate.of)
    return tax if amount_minor >= 0 else -tax


def with_tax(amount_minor: int, rate: Rate | None) -> int:
    """What the amount comes to with its tax."""
    return amount_minor if rate is None or rate.is_inclusive else amount_minor + _tax_of(amount_minor, rate)


def amount_within(total_minor: int, rate: Rate | None) -> int:
    """The largest amount that comes to no more than this with its tax; neither below zero."""
    if rate is None or rate.is_inclusive:
        return total_minor
    amount = total_minor * WHOLE // (WHOLE + rate.thousandths)
    # Its tax may be rounded down to what leaves room for one more.
    return amount + 1 if with_tax(amount + 1, rate) <= total_minor else amount


def deductible(
    *,
    lines: Sequence[tuple[int, uuid.UUID | None]],
    rate_id: uuid.UUID | None,
    max_minor: int,
    rates: Mapping[uuid.UUID, Rate],
) -> int:
    """The largest deduction at this rate, at most `max_minor`, after which the lines come to no less than zero, taxes
    included, as they do before it. Lines are as in `taxed_lines`.
    """

    def is_too_much(deducted: int) -> bool:
        taxed = taxed_lines(lines=[*lines, (-deducted, rate_id)], rates=rates)
        return sum(line.total_minor for line in taxed) < 0

    if not is_too_much(max_minor):
        return max_minor
    # What is deducted, and what is too much: the total falls with each unit between them, or stays.
    deducted, too_much = 0, max_minor
    while too_much - deducted > 1:
        middle = (deducted + too_much) // 2
        deducted, too_much = (deducted, middle) if is_too_much(middle) else (middle, too_much)
    return deducted


def tax_credited(*, tax_minor: int, total_minor: int, credited_minor: int, more_minor: int) -> int:
    """The tax in a credit of `more_minor` of a line of which `credited_minor` was credited before; of a deduction, each
    of them is below zero.

    It is the tax in all that is then credited, rounded half up, less the tax in what was: whatever the parts, they sum
    to the line's tax when all of it is credited. Never more than the credit itself.
    """
    if not tax_minor:
        return 0
    if total_minor < 0:
        return -tax_credited(
            tax_minor=-tax_minor,
            total_minor=-total_minor,
            credited_minor=-credited_minor,
            more_minor=-more_minor,
        )
    after = half_up(tax_minor * (credited_minor + more_minor), total_minor)
    return after - half_up(tax_minor * credited_minor, total_minor)
