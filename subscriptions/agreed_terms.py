"""The terms that a change asks for, and the day from which they are in force. Pure."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from accounts.account_opening import MAX_QUANTITY
from accounts.amounts import amount_error, charge_error
from accounts.billing_calendar import DayOutOfRange, first_start_on_or_after, in_range, is_period_start
from accounts.errors import Invalid
from accounts.locked_accounts import LockedAccount
from accounts.models import Plan
from accounts.terms import TermsInForce

_NOTHING = "The terms were not changed."

Effective = datetime.date | Literal["now", "period_end"]


class UnableToChangeTerms(Invalid):
    """A value of the new terms can't be accepted, or they are no change."""

    code = "unable-to-change-terms"


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsChanges:
    """What to change of an account's terms; None stays. `unit_amount_minor` is in minor units of its currency; with
    another plan it is the plan's, unless it is given. `anchor_date` counts periods anew from that day, which is the
    first one of the new terms.
    """

    plan: str | None = None
    quantity: int | None = None
    unit_amount_minor: int | None = None
    anchor_date: datetime.date | None = None


class Agreed(NamedTuple):
    """The new terms, and whether periods are counted anew from their first day."""

    terms: TermsInForce
    begins_anew: bool

    def begins_anew_on(self, day: datetime.date) -> bool:
        """Whether a new period begins on this day because of them."""
        return self.begins_anew and self.terms.effective_from == day


def agreed_terms(
    account: LockedAccount,
    present: TermsInForce,
    *,
    changes: TermsChanges,
    plans: Mapping[str, Plan],
    effective: Effective,
    today: datetime.date,
) -> Agreed:
    """The account's terms with these changes, from their first day on. `plans` are those that are named, by code.

    Another interval, or an anchor date, counts periods anew from that day; a later one may lie within a period, which
    they cut then. Raises `UnableToChangeTerms`.
    """
    errors = _errors(account, present, changes, plans)
    plan = plans.get(changes.plan) if changes.plan is not None else None
    begins_anew = changes.anchor_date is not None or (plan is not None and plan.interval != present.interval)
    next_start = _next_start(account, present, today=today)
    day = today if effective == "now" else next_start if effective == "period_end" else effective
    error = _day_error(day, today=today)
    cuts_period = not error and _is_within_a_period(day, present, next_start=next_start, today=today)
    if cuts_period and not begins_anew:
        error = f"{day} is not the start of a period. The next one starts on {next_start}."
    if error:
        errors["anchor_date" if day == changes.anchor_date else "effective"] = error
    if not errors and changes.anchor_date not in (None, day):
        errors["anchor_date"] = f"Must be {day}, the first day of the new terms."
    if errors:
        raise UnableToChangeTerms(_NOTHING, **errors)
    agreed = _with(changes, plan, present)._replace(effective_from=day)
    if error := charge_error(
        quantity=agreed.quantity, unit_amount_minor=agreed.unit_amount_minor, currency=account.currency
    ):
        raise UnableToChangeTerms(_NOTHING, **{_named(changes): error})
    if begins_anew:
        return Agreed(agreed._replace(anchor_date=day, cuts_period=cuts_period), begins_anew=True)
    if agreed == present._replace(effective_from=day):
        raise UnableToChangeTerms("These are the account's terms already.")
    return Agreed(agreed, begins_anew=False)


def _with(changes: TermsChanges, plan: Plan | None, present: TermsInForce) -> TermsInForce:
    agreed = present
    if plan is not None and plan.code != present.plan_code:
        agreed = agreed._replace(
            plan_id=plan.id,
            plan_code=plan.code,
            plan_name=plan.name,
            interval=plan.interval,
            unit_amount_minor=plan.unit_amount_minor,
        )
    if changes.quantity is not None:
        agreed = agreed._replace(quantity=changes.quantity)
    if changes.unit_amount_minor is not None:
        agreed = agreed._replace(unit_amount_minor=changes.unit_amount_minor)
    return agreed


def _named(changes: TermsChanges) -> str:
    """The field that makes a period cost too much."""
    if changes.quantity is not None:
        return "quantity"
    return "plan" if changes.unit_amount_minor is None else "unit_amount_minor"


def _errors(
    account: LockedAccount, present: TermsInForce, changes: TermsChanges, plans: Mapping[str, Plan]
) -> dict[str, str]:
    errors = {}
    if changes.plan is not None:
        plan = plans.get(changes.plan)
        if plan is None:
            errors["plan"] = f"There is no plan {changes.plan!r}."
        elif plan.currency != account.currency:
            errors["plan"] = f"The plan is in {plan.currency}, and the account in {account.currency}."
        elif plan.retired and plan.code != present.plan_code:
            errors["plan"] = f"The plan {plan.code!r} is retired."
    if changes.quantity is not None and not 1 <= changes.quantity <= MAX_QUANTITY:
        errors["quantity"] = f"Must be from 1 to {MAX_QUANTITY}."
    if changes.unit_amount_minor is not None and (
        error := amount_error(amount_minor=changes.unit_amount_minor, currency=account.currency, minimum=0)
    ):
        errors["unit_amount_minor"] = error
    return errors


def _next_start(account: LockedAccount, present: TermsInForce, *, today: datetime.date) -> datetime.date:
    """The first day after the period that runs today."""
    if account.rebilling_date > today:
        return account.rebilling_date
    # Periods are due, and not billed yet: the first one after those.
    tomorrow = today + datetime.timedelta(days=1)
    return first_start_on_or_after(anchor=present.anchor_date, interval=present.interval, day=tomorrow)


def _is_within_a_period(
    day: datetime.date, present: TermsInForce, *, next_start: datetime.date, today: datetime.date
) -> bool:
    """Whether this later day is no period's first one."""
    if day <= today:
        return False
    return day < next_start or not is_period_start(anchor=present.anchor_date, interval=present.interval, day=day)


def _day_error(day: datetime.date, *, today: datetime.date) -> str:
    """What is wrong with the first day of the new terms, if anything."""
    try:
        in_range(day)
    except DayOutOfRange as error:
        return f"{error}."
    return f"Must be {today} or later." if day < today else ""
