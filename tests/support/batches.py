"""Accounts that a batch treats specially."""

from typing import Any

from accounts.locked_accounts import lock_account, save_accounts
from accounts.models import Account
from tests.builders import NOW, TODAY, a_plan, an_account


def daily(**terms: Any) -> Account:
    """An account of 100 a day, due from TODAY."""
    return an_account(plan=a_plan(interval_unit="day", unit_amount_minor=100), rebilling_date=TODAY, **terms)


def deactivate(account: Account) -> None:
    locked = lock_account(account.id)
    locked.become(Account.Status.INACTIVE, reason="spent", inactive_reason="unpaid")
    save_accounts([locked], author="test", now=NOW)
