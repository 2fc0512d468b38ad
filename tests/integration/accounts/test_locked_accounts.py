"""Accounts are locked within a transaction, which keeps the lock."""

import uuid
from collections.abc import Callable

import pytest
from django.db.transaction import TransactionManagementError

from accounts.locked_accounts import lock_accounts, lock_accounts_of, lock_accounts_only
from payments.models import Payment
from tests.support.databases import committed


@committed
@pytest.mark.parametrize(
    "lock",
    [
        lambda: lock_accounts([uuid.uuid4()]),
        lambda: lock_accounts_of(Payment, [uuid.uuid4()]),
        lambda: lock_accounts_only(Payment, [uuid.uuid4()]),
    ],
)
def test_locking_outside_a_transaction_is_refused(lock: Callable[[], object]) -> None:
    with pytest.raises(TransactionManagementError, match="within a transaction"):
        lock()
