"""Changes to an account. Its plan, price and dates never change."""

import uuid
from typing import Any, TypedDict

from django.db import transaction

from accounts.account_opening import MAX_QUANTITY, field_errors
from accounts.amounts import charge_error
from accounts.errors import Invalid
from accounts.locks import lock_account
from accounts.models import Account


class UnableToChangeAccount(Invalid):
    """A value of the account can't be accepted."""


class AccountChanges(TypedDict, total=False):
    """What to change; what isn't named stays."""

    name: str
    email: str
    quantity: int
    payment_customer: str
    payment_method: str
    metadata: dict[str, Any]


def change_account(*, account_id: uuid.UUID, changes: AccountChanges) -> Account:
    """Change an account. A quantity counts from the next period that is found due.

    Raises `UnknownAccount` and `UnableToChangeAccount`.
    """
    with transaction.atomic():
        account = lock_account(account_id)
        for name, value in changes.items():
            setattr(account, name, value)
        if errors := field_errors(account):
            raise UnableToChangeAccount("The account was not changed.", **errors)
        if not 1 <= account.quantity <= MAX_QUANTITY:
            raise UnableToChangeAccount("The account was not changed.", quantity=f"Must be from 1 to {MAX_QUANTITY}.")
        if "quantity" in changes and (error := _charge_error(account)):
            raise UnableToChangeAccount("The account was not changed.", quantity=error)
        if changes:
            account.save(update_fields=list(changes))
        return account


def _charge_error(account: Account) -> str:
    return charge_error(
        quantity=account.quantity, unit_amount_minor=account.unit_amount_minor, currency=account.currency
    )
