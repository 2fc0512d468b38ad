"""Opening accounts."""

import datetime
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from accounts.account_fields import field_errors
from accounts.amounts import amount_error, charge_error
from accounts.billing_calendar import DayOutOfRange, first_start_on_or_after, in_range, is_period_start
from accounts.contact import CONTACT_FIELDS
from accounts.errors import Conflict, Invalid, refined
from accounts.ids import new_id
from accounts.models import DEFAULT_NET_DAYS, Account, AccountChange, Plan, Terms
from accounts.number_prefix import new_number_prefix, with_unused_prefixes
from accounts.phrases import one_of

MAX_QUANTITY = 2**31 - 1


class UnableToOpenAccount(Invalid):
    """A value of the account can't be accepted."""

    code = "unable-to-open-account"


class ExternalReferenceTaken(Conflict):
    code = "external-reference-taken"


class AccountOpenedBefore(Conflict):
    """The same request was made before."""

    code = "account-opened-before"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """What an account is opened with. Amounts are minor units of the plan's currency, for each unit and interval.

    `id` is made by a client that may send the request twice; without one, each request opens another account.
    """

    name: str
    email: str
    plan: str
    quantity: int = 1
    unit_amount_minor: int | None = None
    anchor_date: datetime.date | None = None
    rebilling_date: datetime.date | None = None
    external_reference: str | None = None
    collection_method: str = Account.CollectionMethod.AUTOMATIC.value
    net_days: int = DEFAULT_NET_DAYS
    on_decline: str = Account.OnDecline.DUN.value
    tax_rate: uuid.UUID | None = None
    payment_customer: str = ""
    payment_method: str = ""
    address_line1: str = ""
    address_line2: str = ""
    postal_code: str = ""
    city: str = ""
    region: str = ""
    country: str = ""
    tax_id: str = ""
    language: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """An account and its first terms, not saved yet."""

    account: Account
    terms: Terms

    def opening(self, *, now: datetime.datetime) -> AccountChange:
        """The first row of the account's history, not saved yet."""
        given: dict[str, Any] = {
            "status": self.account.status,
            "trial_ends_on": str(self.account.trial_ends_on or ""),
            "on_decline": "" if self.account.on_decline == Account.OnDecline.DUN else self.account.on_decline,
            "tax_rate": str(self.account.tax_rate) if self.account.tax_rate_id else "",
            "credit_balance_minor": self.account.credit_balance_minor,
        }
        return AccountChange(
            account=self.account,
            reason=self.terms.reason,
            author=self.terms.author,
            changed_at=now,
            before={},
            after={name: value for name, value in given.items() if value} | shown_terms(self.terms),
        )


def shown_terms(terms: Terms) -> dict[str, Any]:
    """Terms as the history shows them. Amounts in minor units."""
    return {
        "plan": terms.plan.code,
        "quantity": terms.quantity,
        "unit_amount_minor": terms.unit_amount_minor,
        "anchor_date": terms.anchor_date.isoformat(),
        "effective_from": terms.effective_from.isoformat(),
    }


def draft_account(
    *, new: NewAccount, plan: Plan | None, today: datetime.date, reason: str, author: str, now: datetime.datetime
) -> Draft:
    """The account that this describes, not saved yet. Raises `UnableToOpenAccount` with errors by field.

    Without a rebilling date it is billed from the first period start on or after `today`, so that a customer who
    comes with an old anchor isn't charged for the past. Given one, it may lie in the past, and is caught up.
    With a trial and no anchor of its own, the anchor is the day on which the trial ends.
    """
    errors = _errors_of(new=new, plan=plan)
    if plan is None or errors:
        raise UnableToOpenAccount("The account was not opened.", **errors)
    on_trial = bool(plan.trial_days) and new.anchor_date is None
    anchor = new.anchor_date or today + datetime.timedelta(days=plan.trial_days)
    rebilling_date = _rebilling_date(new, plan, anchor=anchor, today=today)
    unit_amount_minor = _unit_amount_minor(new, plan)
    pays_later = new.collection_method == Account.CollectionMethod.SEND_INVOICE
    account = Account(
        id=new.id or new_id(),
        # Nothing is paid at the start of a trial, of a free account, or of one that is sent invoices.
        status=Account.Status.ACTIVE if on_trial or pays_later or not unit_amount_minor else Account.Status.PENDING,
        name=new.name,
        email=new.email,
        currency=plan.currency,
        anchor_date=anchor,
        rebilling_date=rebilling_date,
        first_rebilling_date=rebilling_date,
        billing_since=now,
        opened_on=today,
        trial_ends_on=rebilling_date if on_trial else None,
        external_reference=new.external_reference or None,
        collection_method=new.collection_method,
        net_days=new.net_days,
        on_decline=new.on_decline,
        tax_rate_id=new.tax_rate,
        payment_customer=new.payment_customer,
        payment_method=new.payment_method,
        number_prefix=new_number_prefix(),
        metadata=new.metadata,
        created_at=now,
        **{name: getattr(new, name) for name in CONTACT_FIELDS},
    )
    if errors := field_errors(account) | _on_decline_errors(account):
        raise UnableToOpenAccount("The account was not opened.", **errors)
    terms = Terms(
        account=account,
        # An anchor may lie in the past, and be caught up from; or ahead, with changes before it.
        effective_from=min(anchor, today),
        plan=plan,
        quantity=new.quantity,
        unit_amount_minor=unit_amount_minor,
        anchor_date=anchor,
        reason=reason,
        author=author,
        created_at=now,
    )
    return Draft(account=account, terms=terms)


def _rebilling_date(new: NewAccount, plan: Plan, *, anchor: datetime.date, today: datetime.date) -> datetime.date:
    day = new.rebilling_date or first_start_on_or_after(anchor=anchor, interval=plan.interval, day=today)
    if not is_period_start(anchor=anchor, interval=plan.interval, day=day):
        message = f"{day} is not the start of a period counted from the anchor {anchor}."
        raise UnableToOpenAccount("The account was not opened.", rebilling_date=message)
    return day


def _on_decline_errors(account: Account) -> dict[str, str]:
    if account.on_decline not in Account.OnDecline:
        return {"on_decline": one_of(Account.OnDecline.values)}
    if account.on_decline == Account.OnDecline.CLOSE and account.status != Account.Status.PENDING:
        return {"on_decline": "Nothing is collected at its start, so that nothing can be declined."}
    return {}


def _unit_amount_minor(new: NewAccount, plan: Plan) -> int:
    return plan.unit_amount_minor if new.unit_amount_minor is None else new.unit_amount_minor


def _errors_of(*, new: NewAccount, plan: Plan | None) -> dict[str, str]:
    errors = {}
    if plan is None:
        errors["plan"] = f"There is no plan {new.plan!r}."
    elif plan.retired:
        errors["plan"] = f"The plan {new.plan!r} is retired."
    if not 1 <= new.quantity <= MAX_QUANTITY:
        errors["quantity"] = f"Must be from 1 to {MAX_QUANTITY}."
    if plan is not None:
        errors |= _amount_errors(new=new, plan=plan, quantity_fits="quantity" not in errors)
    for name in ("anchor_date", "rebilling_date"):
        day = getattr(new, name)
        try:
            if day is not None:
                in_range(day)
        except DayOutOfRange as error:
            errors[name] = f"{error}."
    return errors


def _amount_errors(*, new: NewAccount, plan: Plan, quantity_fits: bool) -> dict[str, str]:
    amount, currency = _unit_amount_minor(new, plan), plan.currency
    if error := amount_error(amount_minor=amount, currency=currency, minimum=0):
        return {"unit_amount_minor": error}
    error = charge_error(quantity=new.quantity, unit_amount_minor=amount, currency=currency)
    return {"quantity": error} if error and quantity_fits else {}


def open_account(*, new: NewAccount, author: str, today: datetime.date, now: datetime.datetime) -> Account:
    """Open an account; its first period is billed on its rebilling date.

    Raises `UnableToOpenAccount`, `ExternalReferenceTaken`, and `AccountOpenedBefore` for an id used before.
    """
    opened_before = AccountOpenedBefore("This account was opened before.")
    if new.id and Account.objects.filter(id=new.id).exists():
        raise opened_before
    plan = Plan.objects.filter(code=new.plan).first()
    draft = draft_account(new=new, plan=plan, today=today, reason="opened", author=author, now=now)
    errors = {
        "accounts_account_pkey": opened_before,
        "account_external_reference_once": reference_taken(new.external_reference),
    }
    with refined(errors), transaction.atomic():
        with_unused_prefixes([draft.account], lambda: draft.account.save(force_insert=True))
        draft.terms.save(force_insert=True)
        draft.opening(now=now).save(force_insert=True)
    return draft.account


def reference_taken(reference: str | None) -> ExternalReferenceTaken:
    message = f"Another account has the external reference {reference!r}."
    return ExternalReferenceTaken(message, external_reference=message)
