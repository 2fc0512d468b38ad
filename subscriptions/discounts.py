"""Discounts of accounts: one is given, and ended before its time, each with a reason.

An account has one at a time. It is taken off the periods that are found due while it has it (rebilling), so that what
was weighed and approved stays.
"""

import datetime
import uuid
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from accounts.account_history import record_changes
from accounts.amounts import amount_error
from accounts.billing_calendar import DayOutOfRange, in_range
from accounts.currencies import display
from accounts.errors import Conflict, Invalid
from accounts.locked_accounts import LockedAccount, lock_account
from accounts.models import MAX_DISCOUNT_PERIODS, Account, Discount
from accounts.percents import percent_error, shown_percent
from accounts.phrases import counted, day_in_words
from accounts.reasons import checked_reason
from rebilling.period_discounts import periods_having


class UnableToGiveDiscount(Invalid):
    """A value of the discount can't be accepted."""

    code = "unable-to-give-discount"


class HasDiscount(Conflict):
    """The account has a discount that isn't over."""

    code = "account-has-discount"


class NoDiscount(Conflict):
    """The account has no discount to end."""

    code = "account-has-no-discount"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDiscount:
    """A discount to give, as `give_discount` takes it."""

    reason: str
    percent: Decimal | None = None
    amount_minor: int | None = None
    periods: int | None = None
    until: datetime.date | None = None


def give_discount(
    *,
    account_id: uuid.UUID,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
    percent: Decimal | None = None,
    amount_minor: int | None = None,
    periods: int | None = None,
    until: datetime.date | None = None,
) -> Account:
    """Give the account a discount on the periods that start today or later: a percentage of the price, above 0 and at
    most 100, or an amount in minor units of its currency, at most the price.

    It is for the first `periods` of them, for those that start before the day `until`, or, given neither, for good.
    Raises `UnknownAccount`, `UnableToGiveDiscount` (errors by field), `HasDiscount` and `InvalidReason`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account = lock_account(account_id)
        errors = _value_errors(account, percent=percent, amount_minor=amount_minor)
        errors |= _duration_errors(periods=periods, until=until, today=today)
        if errors:
            raise UnableToGiveDiscount("No discount was given.", **errors)
        present = discount_of_account(account)
        if present and not _is_over(present, account):
            raise HasDiscount(f"The account has {discount_in_words(present, account.currency)}: end that one first.")
        discount = Discount.objects.create(
            account_id=account.id,
            percent=percent,
            amount_minor=amount_minor,
            periods=periods,
            starts_on=today,
            until=until,
            reason=reason,
            author=author,
            created_at=now,
        )
        return _change(account, None, discount, reason=reason, author=author, now=now)


def end_discount(*, account_id: uuid.UUID, reason: str, author: str, now: datetime.datetime) -> Account:
    """Take the account's discount off no period that is found due from now on; those that have it keep it.

    Raises `UnknownAccount`, `NoDiscount` and `InvalidReason`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account = lock_account(account_id)
        discount = discount_of_account(account)
        if discount is None:
            raise NoDiscount("The account has no discount.")
        return _change(account, discount, None, reason=reason, author=author, now=now)


def discount_of_account(account: Account | LockedAccount) -> Discount | None:
    """The discount that the account has, in force or over."""
    return Discount.objects.filter(id=account.discount_id).first() if account.discount_id else None


def periods_left(discount: Discount) -> int | None:
    """How many more periods it is taken off; None where they aren't counted."""
    return None if discount.periods is None else max(0, discount.periods - periods_having([discount.id])[discount.id])


def discount_in_words(discount: Discount, currency: str) -> str:
    """It, as people read it: "25% off, for 3 periods from 1 Mar 2026"."""
    off = off_in_words(discount, currency)
    since = day_in_words(discount.starts_on)
    if discount.periods is not None:
        return f"{off}, for {counted(discount.periods, 'period')} from {since}"
    if discount.until is not None:
        return f"{off}, for periods from {since} that start before {day_in_words(discount.until)}"
    return f"{off}, for good, from {since}"


def off_in_words(discount: Discount, currency: str) -> str:
    """What it takes off each period: "25% off"."""
    if discount.percent is not None:
        return f"{shown_percent(discount.percent)}% off"
    return f"{display(amount_minor=discount.amount_minor or 0, currency=currency)} off"


def _value_errors(account: LockedAccount, *, percent: Decimal | None, amount_minor: int | None) -> dict[str, str]:
    if (percent is None) == (amount_minor is None):
        return {"percent": "Give either a percentage or an amount."}
    if percent is not None:
        error = percent_error(percent, zero_allowed=False)
        return {"percent": error} if error else {}
    error = amount_error(amount_minor=amount_minor or 0, currency=account.currency)
    return {"amount_minor": error} if error else {}


def _duration_errors(*, periods: int | None, until: datetime.date | None, today: datetime.date) -> dict[str, str]:
    if periods is not None and until is not None:
        return {"until": "Give either a number of periods or a day."}
    if periods is not None and not 1 <= periods <= MAX_DISCOUNT_PERIODS:
        return {"periods": f"Must be from 1 to {MAX_DISCOUNT_PERIODS}."}
    if until is not None:
        try:
            in_range(until)
        except DayOutOfRange as error:
            return {"until": f"{error}."}
        if until <= today:
            return {"until": f"Must be after today, {today}."}
    return {}


def _is_over(discount: Discount, account: LockedAccount) -> bool:
    """Whether it can't be taken off any further period, unless one that has it is skipped or voided."""
    passed = discount.until is not None and discount.until <= account.rebilling_date
    return passed or periods_left(discount) == 0


def _change(
    account: LockedAccount,
    before: Discount | None,
    after: Discount | None,
    *,
    reason: str,
    author: str,
    now: datetime.datetime,
) -> Account:
    was, is_now = (
        {"discount": discount_in_words(discount, account.currency) if discount else None}
        for discount in (before, after)
    )
    Account.objects.filter(id=account.id).update(discount_id=after.id if after else None)
    record_changes([(account.id, reason, was, is_now)], author=author, now=now)
    return Account.objects.get(id=account.id)
