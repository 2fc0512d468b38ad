"""Locking accounts: every operation that writes about accounts locks them first, in id order, then reads them again."""

import uuid
from collections.abc import Iterable

from accounts.errors import Missing
from accounts.models import Account


class UnknownAccount(Missing):
    code = "unknown-account"


def lock_accounts(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Account]:
    """The accounts by id, locked until the transaction ends, with their plans. Ids that don't exist are left out.

    In id order, so that two operations never wait for each other; `FOR NO KEY UPDATE`, because a plain `FOR UPDATE`
    fights the share locks of foreign keys.
    """
    rows = (
        Account.objects.select_for_update(of=("self",), no_key=True)
        .select_related("plan")
        .filter(id__in=set(ids))
        .order_by("id")
    )
    return {account.id: account for account in rows}


def lock_account(account_id: uuid.UUID) -> Account:
    """The account, locked until the transaction ends. Raises `UnknownAccount`."""
    accounts = lock_accounts([account_id])
    if account_id not in accounts:
        raise UnknownAccount(f"There is no account {account_id}.")
    return accounts[account_id]
