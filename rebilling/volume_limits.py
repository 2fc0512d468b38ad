"""The volume check's limits, and the comparison of what is due with recent runs, by numbers alone."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from accounts.currencies import EXPONENTS, display
from accounts.phrases import counted

HISTORY_DAYS = 35
"""Longer than any month, so that it includes the end of the last one."""

UNUSUAL_ACCOUNTS = 10
UNUSUAL_PERCENT = 5
"""This many accounts of a run, or this share of them if that is more, may be parked, or have two or more periods due.
More than that is unlikely by chance: a date or an import is wrong. The limit holds with history and without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What passes. 0 turns a limit off.

    `small_run_periods`: a run of at most this many periods isn't held for being many times larger than usual, as long
    as its periods cost no more than usual. `first_periods` and `first_amount_minor` (by currency, for those that have
    a limit) apply where there is no history.
    """

    multiple: int
    small_run_periods: int
    first_periods: int
    first_amount_minor: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Size:
    """The size of a run, by currency: periods and minor units; and the number of its accounts.

    `steps` of the periods are steps of dunning: invoices that are collected again. Parked periods don't count, but
    their accounts do. `catching_up` accounts have two or more periods due, `parked` accounts a parked period.
    """

    periods_in: Counter[str] = field(default_factory=Counter)
    amount_minor: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    accounts: int = 0
    catching_up: int = 0
    parked: int = 0

    def add(self, *, periods: int, amount_minor: int, currency: str) -> None:
        self.periods_in[currency] += periods
        self.amount_minor[currency] += amount_minor

    def take_away(self, other: "Size") -> None:
        """Periods that were counted in it, with their amounts."""
        for currency, periods in other.periods_in.items():
            self.add(periods=-periods, amount_minor=-other.amount_minor[currency], currency=currency)
            if not self.periods_in[currency]:
                del self.periods_in[currency], self.amount_minor[currency]

    @property
    def periods(self) -> int:
        return self.periods_in.total()


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The most periods and amounts (by currency) that one run had, and the days since the last run, at least 1.

    `average_minor` is what a period cost on average in all these runs.
    """

    periods: int = 0
    amount_minor: Mapping[str, int] = field(default_factory=dict)
    average_minor: Mapping[str, int] = field(default_factory=dict)
    days: int = 1


@dataclass(frozen=True, slots=True)
class Excess:
    """One limit that was exceeded: `due` and `limit` are in `unit`; with a currency they are an amount of money."""

    due: int
    limit: int
    why: str
    unit: str = "periods are due"
    currency: str = ""

    def __str__(self) -> str:
        if not self.currency:
            return f"{self.due:,} {self.unit}, more than {self.limit:,} ({self.why})"
        due, limit = (display(amount_minor=amount, currency=self.currency) for amount in (self.due, self.limit))
        return f"{due} is due, more than {limit} ({self.why})"


def find_excesses(*, due: Size, history: History, limits: Limits) -> list[Excess]:
    """The limits that what is due exceeds; none if it passes. Exactly at a limit passes."""
    found = _unusual_accounts(due)
    unit = f"periods are due ({due.steps:,} of them steps of dunning)" if due.steps else "periods are due"
    if limits.multiple:
        small = due.periods <= limits.small_run_periods
        if history.periods and not small:
            limit = limits.multiple * history.days * history.periods
            why = _why(f"the largest run of {HISTORY_DAYS} days", history, limits)
            found.append(Excess(due.periods, limit, why, unit))
        found += [
            _excess_of(currency, amount, small=small, history=history, limits=limits)
            for currency, amount in sorted(due.amount_minor.items())
            if history.amount_minor.get(currency)
        ]
    why = "the limit without history"
    if limits.first_periods:
        # Only currencies that no run had: all of them if there is no history.
        new = [periods for currency, periods in due.periods_in.items() if currency not in history.amount_minor]
        found.append(Excess(sum(new), limits.first_periods, why, unit))
    found += [
        Excess(due.amount_minor[currency], limit, why, currency=currency)
        for currency, limit in sorted(limits.first_amount_minor.items())
        if limit and not history.amount_minor.get(currency)
    ]
    return [excess for excess in found if excess.due > excess.limit]


def _unusual_accounts(due: Size) -> list[Excess]:
    """Too many accounts are parked or catch up: a date is wrong, or periods are short and we were down."""
    limit = max(UNUSUAL_ACCOUNTS, due.accounts * UNUSUAL_PERCENT // 100)
    why = f"{UNUSUAL_PERCENT}% of {counted(due.accounts, 'account')}, and at least {UNUSUAL_ACCOUNTS}"
    return [
        Excess(due.parked, limit, why, "accounts are parked"),
        Excess(due.catching_up, limit, why, "accounts have two or more periods due"),
    ]


def _excess_of(currency: str, amount: int, *, small: bool, history: History, limits: Limits) -> Excess:
    """An amount compared with history. The totals of small runs vary widely, but not what a period costs."""
    largest, against = history.amount_minor[currency], f"the largest run of {HISTORY_DAYS} days"
    usual = limits.small_run_periods * history.average_minor[currency]
    if small and usual > largest:
        largest, against = usual, f"{limits.small_run_periods} periods at the average of {HISTORY_DAYS} days"
    return Excess(amount, limits.multiple * history.days * largest, _why(against, history, limits), currency=currency)


def _why(against: str, history: History, limits: Limits) -> str:
    return f"{limits.multiple} times {against}, for {counted(history.days, 'day')}"


def check_limits() -> Limits:
    """The limits in the settings. Raises `ImproperlyConfigured` if one is invalid."""
    limits = Limits(
        multiple=settings.VOLUME_CHECK_MULTIPLE,
        small_run_periods=settings.VOLUME_CHECK_SMALL_RUN,
        first_periods=settings.VOLUME_CHECK_FIRST_PERIODS,
        first_amount_minor=settings.VOLUME_CHECK_FIRST_AMOUNTS,
    )
    amounts = limits.first_amount_minor
    if min(limits.multiple, limits.small_run_periods, limits.first_periods, *amounts.values()) < 0:
        raise ImproperlyConfigured("VOLUME_CHECK_...: a limit of the volume check is below 0.")
    if unknown := sorted(set(amounts) - set(EXPONENTS)):
        raise ImproperlyConfigured(f"VOLUME_CHECK_FIRST_AMOUNTS: {', '.join(unknown)} is no currency.")
    return limits
