"""Changing what may change about an account. Its currency and its dates may not."""

import datetime
import uuid
from typing import Any, TypedDict

from django.db import transaction

from accounts.account_history import record_changes
from accounts.account_opening import MAX_QUANTITY, field_errors
from accounts.amounts import charge_error
from accounts.errors import Invalid
from accounts.locked_accounts import lock_account
from accounts.models import Account, TaxRate
from accounts.reasons import checked_reason
from accounts.terms import TermsInForce, add_terms, terms_of


class UnableToChangeAccount(Invalid):
    """A value of the account can't be accepted."""

    code = "unable-to-change-account"


class AccountChanges(TypedDict, total=False):
    """What to change; what isn't named stays."""

    name: str
    email: str
    quantity: int
    collection_method: str
    net_days: int
    payment_customer: str
    payment_method: str
    address_line1: str
    address_line2: str
    postal_code: str
    city: str
    region: str
    country: str
    tax_id: str
    language: str
    tax_rate: uuid.UUID | None
    metadata: dict[str, Any]


_COLUMNS = {"tax_rate": "tax_rate_id"}
PAYMENT_FIELDS = ("payment_customer", "payment_method")


def change_account(
    *,
    account_id: uuid.UUID,
    changes: AccountChanges,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> Account:
    """Change an account, and note it in its history.

    A quantity is in force from `today` on: it counts from the first period that starts on that day or later and was not
    found due before. A tax rate, by its id, counts for what is found due from now on; None is the default of the
    settings. Another collection method counts from the next invoice. With another customer or method to pay by, what
    was found about the one before is forgotten. Raises `UnknownAccount`, `UnableToChangeAccount` and `InvalidReason`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        lock_account(account_id)
        account = Account.objects.get(id=account_id)
        fields = {_COLUMNS.get(name, name): value for name, value in changes.items() if name != "quantity"}
        before = {name: getattr(account, name) for name in fields}
        for name, value in fields.items():
            setattr(account, name, value)
        if errors := field_errors(account):
            raise UnableToChangeAccount("The account was not changed.", **errors)
        changed = {name: value for name, value in fields.items() if value != before[name]}
        named = account.payment_method and any(name in fields for name in PAYMENT_FIELDS)
        if account.payment_method_unusable and named:
            # Named again, the same method is worth another attempt, too.
            before["payment_method_unusable"], changed["payment_method_unusable"] = True, False
            account.payment_method_unusable = False
        if changed:
            account.save(update_fields=list(changed))
        shown = {name: before[name] for name in changed}
        if "quantity" in changes:
            before_it, after_it = _change_quantity(
                account, changes["quantity"], reason=reason, author=author, today=today, now=now
            )
            shown, changed = shown | before_it, changed | after_it
        if changed:
            record_changes([(account.id, reason, _in_history(shown), _in_history(changed))], author=author, now=now)
        return account


def _in_history(values: dict[str, Any]) -> dict[str, Any]:
    """With the tax rate by its name and percentage."""
    if "tax_rate_id" not in values:
        return values
    rate = TaxRate.objects.filter(id=values["tax_rate_id"]).first()
    return {name: value for name, value in values.items() if name != "tax_rate_id"} | {
        "tax_rate": str(rate) if rate else None
    }


def _change_quantity(
    account: Account, quantity: int, *, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Add terms with another quantity. Returns what changed, before and after; nothing where it is the same."""
    terms = terms_of([account.id])[account.id].in_force(max(today, account.rebilling_date))
    if not 1 <= quantity <= MAX_QUANTITY:
        raise UnableToChangeAccount("The account was not changed.", quantity=f"Must be from 1 to {MAX_QUANTITY}.")
    error = charge_error(quantity=quantity, unit_amount_minor=terms.unit_amount_minor, currency=account.currency)
    if error:
        raise UnableToChangeAccount("The account was not changed.", quantity=error)
    if quantity == terms.quantity:
        return {}, {}
    changed: TermsInForce = terms._replace(effective_from=today, quantity=quantity)
    add_terms(terms={account.id: changed}, reason=reason, author=author, now=now)
    return {"quantity": terms.quantity}, {"quantity": quantity, "effective_from": today.isoformat()}
