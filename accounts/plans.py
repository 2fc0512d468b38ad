"""The catalog: creating and retiring plans."""

import datetime

from django.db import transaction

from accounts.amounts import amount_error
from accounts.billing_calendar import IntervalUnit
from accounts.currencies import EXPONENTS
from accounts.errors import Conflict, Invalid, Missing, refined
from accounts.models import MAX_INTERVAL_COUNT, Plan
from accounts.text import text_error

MAX_NAME_LENGTH = 200
MAX_TRIAL_DAYS = 730


class UnableToCreatePlan(Invalid):
    """A value of the plan can't be accepted."""

    code = "unable-to-create-plan"


class PlanCodeTaken(Conflict):
    code = "plan-code-taken"


class UnknownPlan(Missing):
    code = "unknown-plan"


def create_plan(
    *,
    code: str,
    name: str,
    currency: str,
    unit_amount_minor: int,
    interval_count: int,
    interval_unit: str,
    trial_days: int = 0,
    now: datetime.datetime,
) -> Plan:
    """Create a price: `unit_amount_minor` (minor units of `currency`) for each unit and interval.

    Raises `UnableToCreatePlan` (errors by field) and `PlanCodeTaken`.
    """
    errors = {}
    if not 1 <= len(name.strip()) <= MAX_NAME_LENGTH:
        errors["name"] = f"Must have from 1 to {MAX_NAME_LENGTH} characters."
    elif error := text_error(name):
        errors["name"] = error
    if currency not in EXPONENTS:
        errors["currency"] = f"{currency!r} is not an ISO 4217 code of an active currency."
    elif error := amount_error(amount_minor=unit_amount_minor, currency=currency, minimum=0):
        errors["unit_amount_minor"] = error
    if not 1 <= interval_count <= MAX_INTERVAL_COUNT:
        errors["interval_count"] = f"Must be from 1 to {MAX_INTERVAL_COUNT}."
    if interval_unit not in IntervalUnit._value2member_map_:
        errors["interval_unit"] = f"Must be one of {', '.join(IntervalUnit)}."
    if not 0 <= trial_days <= MAX_TRIAL_DAYS:
        errors["trial_days"] = f"Must be from 0 to {MAX_TRIAL_DAYS}."
    if errors:
        raise UnableToCreatePlan("The plan was not created.", **errors)
    taken = PlanCodeTaken(f"There is a plan {code!r} already.")
    not_a_slug = UnableToCreatePlan(
        "The plan was not created.", code="Use lower-case letters, digits, hyphens and underscores."
    )
    with refined({"plan_code_once": taken, "plan_code_is_a_slug": not_a_slug}), transaction.atomic():
        return Plan.objects.create(
            code=code,
            name=name,
            currency=currency,
            unit_amount_minor=unit_amount_minor,
            interval_count=interval_count,
            interval_unit=interval_unit,
            trial_days=trial_days,
            created_at=now,
        )


def plan_by_code(code: str) -> Plan:
    """The plan. Raises `UnknownPlan`."""
    try:
        return Plan.objects.get(code=code)
    except Plan.DoesNotExist:
        raise UnknownPlan(f"There is no plan {code!r}.") from None


def retire_plan(*, code: str) -> Plan:
    """Retire the plan: no new account can use it, and the accounts on it go on.

    Retiring it again changes nothing. Raises `UnknownPlan`.
    """
    plan = plan_by_code(code)
    plan.retired = True
    plan.save(update_fields=["retired"])
    return plan
