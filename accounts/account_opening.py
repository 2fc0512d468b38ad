"""Opening an account: its terms, checked, become a row and the first line of its history."""

import datetime
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.amounts import amount_error, charge_error
from accounts.billing_calendar import DayOutOfRange, first_start_on_or_after, in_range, is_period_start
from accounts.errors import Conflict, Invalid, refined
from accounts.metadata import metadata_error
from accounts.models import Account, Plan, StatusChange
from accounts.text import text_error

MAX_QUANTITY = 2**31 - 1
TEXTS = ("name", "email", "external_reference", "payment_customer", "payment_method")
"""The fields of an account that people and clients write."""


class UnableToOpenAccount(Invalid):
    """A value of the account can't be accepted."""


class ExternalReferenceTaken(Conflict):
    code = "external-reference-taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTerms:
    """What an account is opened with. Amounts are minor units of the plan's currency, for each unit and interval."""

    name: str
    email: str
    plan: str
    quantity: int = 1
    unit_amount_minor: int | None = None
    anchor_date: datetime.date | None = None
    rebilling_date: datetime.date | None = None
    external_reference: str | None = None
    payment_customer: str = ""
    payment_method: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


def account_from(*, terms: AccountTerms, plan: Plan | None, today: datetime.date, now: datetime.datetime) -> Account:
    """The account that these terms describe, not saved yet. Raises `UnableToOpenAccount` with errors by field.

    Without a rebilling date it is billed from the first period start on or after `today`, so that a customer with an
    old anchor isn't charged for the past. A rebilling date may lie in the past; its periods are then caught up.
    With a trial and no anchor date, the anchor is the day on which the trial ends.
    """
    errors = _errors_of(terms=terms, plan=plan)
    if plan is None or errors:
        raise UnableToOpenAccount("The account was not opened.", **errors)
    on_trial = bool(plan.trial_days) and terms.anchor_date is None
    anchor = terms.anchor_date or today + datetime.timedelta(days=plan.trial_days)
    rebilling_date = terms.rebilling_date or first_start_on_or_after(anchor=anchor, interval=plan.interval, day=today)
    if not is_period_start(anchor=anchor, interval=plan.interval, day=rebilling_date):
        message = f"{rebilling_date} is not the start of a period counted from the anchor {anchor}."
        raise UnableToOpenAccount("The account was not opened.", rebilling_date=message)
    account = Account(
        status=Account.Status.ACTIVE if on_trial else Account.Status.PENDING,
        name=terms.name,
        email=terms.email,
        plan=plan,
        quantity=terms.quantity,
        unit_amount_minor=_unit_amount_minor(terms, plan),
        currency=plan.currency,
        anchor_date=anchor,
        rebilling_date=rebilling_date,
        first_rebilling_date=rebilling_date,
        billing_since=now,
        external_reference=terms.external_reference or None,
        payment_customer=terms.payment_customer,
        payment_method=terms.payment_method,
        metadata=terms.metadata,
        created_at=now,
    )
    if errors := field_errors(account):
        raise UnableToOpenAccount("The account was not opened.", **errors)
    return account


def field_errors(account: Account) -> dict[str, str]:
    """Errors of the account's own fields: lengths, blanks, the form of an e-mail address, texts, metadata."""
    errors = {}
    try:
        # The plan was checked by the caller.
        account.clean_fields(exclude={"plan", "metadata"})
    except ValidationError as error:
        errors = {name: " ".join(messages) for name, messages in error.message_dict.items()}
    errors |= {name: fault for name in TEXTS if (fault := text_error(getattr(account, name) or ""))}
    if unkeepable := metadata_error(account.metadata):
        errors["metadata"] = unkeepable
    return errors


def _unit_amount_minor(terms: AccountTerms, plan: Plan) -> int:
    return plan.unit_amount_minor if terms.unit_amount_minor is None else terms.unit_amount_minor


def _errors_of(*, terms: AccountTerms, plan: Plan | None) -> dict[str, str]:
    errors = {}
    if plan is None:
        errors["plan"] = f"There is no plan {terms.plan!r}."
    elif plan.retired:
        errors["plan"] = f"The plan {terms.plan!r} is retired."
    if not 1 <= terms.quantity <= MAX_QUANTITY:
        errors["quantity"] = f"Must be from 1 to {MAX_QUANTITY}."
    if plan is not None:
        errors |= _amount_errors(terms=terms, plan=plan, quantity_fits="quantity" not in errors)
    for name in ("anchor_date", "rebilling_date"):
        day = getattr(terms, name)
        try:
            if day is not None:
                in_range(day)
        except DayOutOfRange as error:
            errors[name] = f"{error}."
    return errors


def _amount_errors(*, terms: AccountTerms, plan: Plan, quantity_fits: bool) -> dict[str, str]:
    amount, currency = _unit_amount_minor(terms, plan), plan.currency
    if error := amount_error(amount_minor=amount, currency=currency, least=0):
        return {"unit_amount_minor": error}
    error = charge_error(quantity=terms.quantity, unit_amount_minor=amount, currency=currency)
    return {"quantity": error} if error and quantity_fits else {}


def open_account(*, terms: AccountTerms, author: str, today: datetime.date, now: datetime.datetime) -> Account:
    """Open an account; its first charge falls on its rebilling date.

    Raises `UnableToOpenAccount` and `ExternalReferenceTaken`.
    """
    account = account_from(terms=terms, plan=Plan.objects.filter(code=terms.plan).first(), today=today, now=now)
    with (
        refined({"account_external_reference_once": reference_taken(terms.external_reference)}),
        transaction.atomic(),
    ):
        account.save(force_insert=True)
        opening_of(account=account, reason="opened", author=author, now=now).save(force_insert=True)
    return account


def reference_taken(reference: str | None) -> ExternalReferenceTaken:
    message = f"Another account has the external reference {reference!r}."
    return ExternalReferenceTaken(message, external_reference=message)


def opening_of(*, account: Account, reason: str, author: str, now: datetime.datetime) -> StatusChange:
    """The first row of an account's history, not saved yet."""
    return StatusChange(
        account=account, from_status="", to_status=account.status, reason=reason, author=author, changed_at=now
    )
