"""Accounts that a batch treats specially."""

from typing import Any

from accounts.locked_accounts import lock_account, save_accounts
from accounts.models import Account
from ledger.models import EntryType
from ledger.posting import Posting, post
from rebilling.models import Rebilling
from tests.builders import NOW, TODAY, a_plan, an_account


def daily(**terms: Any) -> Account:
    """An account of 100 a day, due from TODAY."""
    return an_account(plan=a_plan(interval_unit="day", unit_amount_minor=100), rebilling_date=TODAY, **terms)


def deactivate(account: Account) -> None:
    locked = lock_account(account.id)
    locked.become(Account.Status.INACTIVE, reason="spent", inactive_reason="unpaid")
    save_accounts([locked], author="test", now=NOW)


def in_the_way(row: Rebilling) -> None:
    """Take the idempotency key that the period's entry needs, so that posting it is refused."""
    posting = Posting(
        type=EntryType.CREDIT,
        account_id=row.account_id,
        amount_minor=1,
        currency=row.currency,
        description="in the way",
        idempotency_key=f"charge:{row.id}",
    )
    post(postings=[posting], effective_on=TODAY, author="test")
