"""The terms that a change asks for, and the day from which they are in force. Pure."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

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
    another plan it is the plan's, unless it is given. `anchor_date` counts periods anew from the day of the change.
    """

    plan: str | None = None
    quantity: int | None = None
    unit_amount_minor: int | None = None
    anchor_date: datetime.date | None = None


def agreed_terms(
    account: LockedAccount,
    present: TermsInForce,
    *,
    changes: TermsChanges,
    plans: Mapping[str, Plan],
    effective: Effective,
    today: datetime.date,
) -> TermsInForce:
    """The account's terms with these changes, from their first day on. `plans` are those that are named, by code.

    Another interval, or an anchor date, counts periods anew from that day. Raises `UnableToChangeTerms`.
    """
    errors = _errors(account, present, changes, plans)
    day = _first_day(account, present, effective=effective, today=today, errors=errors)
    if not errors and changes.anchor_date not in (None, day):
        errors["anchor_date"] = f"Must be {day}, the first day of the new terms."
    if errors:
        raise UnableToChangeTerms(_NOTHING, **errors)
    agreed = present._replace(effective_from=day)
    if changes.plan is not None and changes.plan != present.plan_code:
        plan = plans[changes.plan]
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
    if error := charge_error(
        quantity=agreed.quantity, unit_amount_minor=agreed.unit_amount_minor, currency=account.currency
    ):
        raise UnableToChangeTerms(_NOTHING, **{_named(changes): error})
    if agreed.interval != present.interval or changes.anchor_date is not None:
        return agreed._replace(anchor_date=day)
    if agreed == present._replace(effective_from=day):
        raise UnableToChangeTerms("These are the account's terms already.")
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
        error := amount_error(amount_minor=changes.unit_amount_minor, currency=account.currency, least=0)
    ):
        errors["unit_amount_minor"] = error
    return errors


def _first_day(
    account: LockedAccount,
    present: TermsInForce,
    *,
    effective: Effective,
    today: datetime.date,
    errors: dict[str, str],
) -> datetime.date:
    """The first day of the new terms; what is wrong with it is put among the errors."""
    if effective == "now":
        return today
    next_start = account.rebilling_date
    if next_start <= today:
        # Periods are due, and not billed yet: the first one after those.
        tomorrow = today + datetime.timedelta(days=1)
        next_start = first_start_on_or_after(anchor=present.anchor_date, interval=present.interval, day=tomorrow)
    if effective == "period_end":
        return next_start
    try:
        day = in_range(effective)
    except DayOutOfRange as error:
        errors["effective"] = f"{error}."
        return today
    if day == today:
        return today
    if day < today:
        errors["effective"] = f"Must be {today} or later."
    elif day < next_start or not is_period_start(anchor=present.anchor_date, interval=present.interval, day=day):
        errors["effective"] = f"{day} is not the start of a period. The next one starts on {next_start}."
    return day
