"""Changing what may change about an account: not its currency, and not what it is billed, which are its terms."""

import datetime
import uuid
from typing import Any, TypedDict

from django.db import transaction

from accounts.account_fields import field_errors
from accounts.account_history import record_changes
from accounts.errors import Invalid
from accounts.locked_accounts import lock_account
from accounts.models import Account, TaxRate
from accounts.reasons import checked_reason


class UnableToChangeAccount(Invalid):
    """A value of the account can't be accepted."""

    code = "unable-to-change-account"


class AccountChanges(TypedDict, total=False):
    """What to change; what isn't named stays."""

    name: str
    email: str
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
    now: datetime.datetime,
) -> Account:
    """Change an account, and note it in its history.

    A tax rate, by its id, counts for what is found due, or charged by a change of terms, from now on; None is the
    default of the settings. Another collection method counts from the next invoice. With another customer or method to
    pay by, what was found about the one before is forgotten. Raises `UnknownAccount`, `UnableToChangeAccount` and
    `InvalidReason`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        lock_account(account_id)
        account = Account.objects.get(id=account_id)
        fields = {_COLUMNS.get(name, name): value for name, value in changes.items()}
        before = {name: getattr(account, name) for name in fields}
        for name, value in fields.items():
            setattr(account, name, value)
        if errors := field_errors(account):
            raise UnableToChangeAccount("The account was not changed.", **errors)
        changed = {name: value for name, value in fields.items() if value != before[name]}
        named = account.payment_method and any(name in changes for name in PAYMENT_FIELDS)
        if account.payment_method_unusable and named:
            # Named again, the same method is worth another attempt, too.
            before["payment_method_unusable"], changed["payment_method_unusable"] = True, False
            account.payment_method_unusable = False
        if changed:
            account.save(update_fields=list(changed))
            shown = {name: before[name] for name in changed}
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
