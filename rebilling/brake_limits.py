"""What is too much: the brake's limits, and what is due held against recent runs, by numbers alone."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from accounts.currencies import EXPONENTS, display
from accounts.wording import counted

HISTORY_DAYS = 35
"""Longer than any month, so that the last month's end is in it."""

ODD_ACCOUNTS = 10
ODD_PERCENT = 5
"""So many accounts of a run, or this share of them where that is more, may be parked, or have two or more periods due.
Past that it is no accident of theirs, but a wrong date or import; so it goes with history and without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is let through. 0 turns a limit off.

    `small_run_periods`: so few periods are never held for being many times more than usual, nor for what so many would
    usually come to. `first_periods` and `first_amount_minor` (by currency, those that are to have one) are for where
    there is no history.
    """

    multiple: int
    small_run_periods: int
    first_periods: int
    first_amount_minor: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Size:
    """How much a run is, by currency: periods, and minor units; and of how many accounts.

    `again` of the periods are charges that are collected again. Parked ones are no periods here, but their accounts
    count. `catching_up` accounts have two or more periods due, `parked` ones a parked period.
    """

    periods_in: Counter[str] = field(default_factory=Counter)
    amount_minor: Counter[str] = field(default_factory=Counter)
    again: int = 0
    accounts: int = 0
    catching_up: int = 0
    parked: int = 0

    def add(self, *, periods: int, amount_minor: int, currency: str) -> None:
        self.periods_in[currency] += periods
        self.amount_minor[currency] += amount_minor

    @property
    def periods(self) -> int:
        return self.periods_in.total()


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The most that one run had of each, by currency those that there were, and the days since the last, at least 1.

    `each_minor` is what a period of all these runs came to on average.
    """

    periods: int = 0
    amount_minor: Mapping[str, int] = field(default_factory=dict)
    each_minor: Mapping[str, int] = field(default_factory=dict)
    days: int = 1


@dataclass(frozen=True, slots=True)
class Excess:
    """One thing of which too much is due: `due` and `most` read as `unit` says, an amount as money."""

    due: int
    most: int
    why: str
    unit: str = "periods are due"
    currency: str = ""

    def __str__(self) -> str:
        if not self.currency:
            return f"{self.due:,} {self.unit}, more than {self.most:,} ({self.why})"
        due, most = (display(amount_minor=amount, currency=self.currency) for amount in (self.due, self.most))
        return f"{due} is due, more than {most} ({self.why})"


def excesses(*, due: Size, history: History, limits: Limits) -> list[Excess]:
    """Why what is due is too much; nothing when it is let through. What is exactly at a limit is let through."""
    found = _odd_accounts(due)
    unit = f"periods are due ({due.again:,} of them to be collected again)" if due.again else "periods are due"
    if limits.multiple:
        small = due.periods <= limits.small_run_periods
        if history.periods and not small:
            most = limits.multiple * history.days * history.periods
            why = _why(f"the largest run of {HISTORY_DAYS} days", history, limits)
            found.append(Excess(due.periods, most, why, unit))
        found += [
            _excess_of(currency, amount, small=small, history=history, limits=limits)
            for currency, amount in sorted(due.amount_minor.items())
            if history.amount_minor.get(currency)
        ]
    why = "the limit without history"
    if limits.first_periods:
        # Of currencies that no run had; that is all of them where there is no history.
        new = [periods for currency, periods in due.periods_in.items() if currency not in history.amount_minor]
        found.append(Excess(sum(new), limits.first_periods, why, unit))
    found += [
        Excess(due.amount_minor[currency], most, why, currency=currency)
        for currency, most in sorted(limits.first_amount_minor.items())
        if most and not history.amount_minor.get(currency)
    ]
    return [excess for excess in found if excess.due > excess.most]


def _odd_accounts(due: Size) -> list[Excess]:
    """Too many accounts that are parked, or that catch up: a date is wrong, or we were down where periods are short."""
    most = max(ODD_ACCOUNTS, due.accounts * ODD_PERCENT // 100)
    why = f"{ODD_PERCENT} % of {counted(due.accounts, 'account')}, and at least {ODD_ACCOUNTS}"
    return [
        Excess(due.parked, most, why, "accounts are parked"),
        Excess(due.catching_up, most, why, "accounts have two or more periods due"),
    ]


def _excess_of(currency: str, amount: int, *, small: bool, history: History, limits: Limits) -> Excess:
    """An amount beside history. Small runs vary as widely in what they come to as in how many they are; but not in
    what a period costs."""
    largest, against = history.amount_minor[currency], f"the largest run of {HISTORY_DAYS} days"
    usual = limits.small_run_periods * history.each_minor[currency]
    if small and usual > largest:
        largest, against = usual, f"{limits.small_run_periods} periods at the average of {HISTORY_DAYS} days"
    return Excess(amount, limits.multiple * history.days * largest, _why(against, history, limits), currency=currency)


def _why(against: str, history: History, limits: Limits) -> str:
    return f"{limits.multiple} times {against}, for {counted(history.days, 'day')}"


def check_limits() -> Limits:
    """The limits that are configured. Raises `ImproperlyConfigured` when they make no sense."""
    limits = Limits(
        multiple=settings.REBILLING_BRAKE_MULTIPLE,
        small_run_periods=settings.REBILLING_BRAKE_SMALL_RUN,
        first_periods=settings.REBILLING_BRAKE_FIRST_PERIODS,
        first_amount_minor=settings.REBILLING_BRAKE_FIRST_AMOUNTS,
    )
    amounts = limits.first_amount_minor
    if min(limits.multiple, limits.small_run_periods, limits.first_periods, *amounts.values()) < 0:
        raise ImproperlyConfigured("REBILLING_BRAKE_...: a limit of the brake is below 0.")
    if unknown := sorted(set(amounts) - set(EXPONENTS)):
        raise ImproperlyConfigured(f"REBILLING_BRAKE_FIRST_AMOUNTS: {', '.join(unknown)} is no currency.")
    return limits
