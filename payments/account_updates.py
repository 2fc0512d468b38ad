"""Changing an account, and what follows at once from another payment method."""

import datetime
import uuid

from django.db import transaction

from accounts.account_changes import PAYMENT_FIELDS, AccountChanges, change_account
from accounts.models import Account
from payments.authentications import end_authentications_by_another_method
from payments.messages.dispatch import send_payments_when_committed
from payments.payment_requests import try_new_method


def update_account(
    *,
    account_id: uuid.UUID,
    changes: AccountChanges,
    reason: str,
    author: str,
    now: datetime.datetime,
) -> Account:
    """Change an account as `accounts.account_changes.change_account` does. With another customer or payment method at
    the gateway, or the same one given again after it was declined for good, a declined invoice is tried at once.

    A payment that waits for the customer to authenticate it with the one before is looked up at once, which gives it
    up, and the new one is tried.
    """
    with transaction.atomic():
        paid_by = (*PAYMENT_FIELDS, "payment_method_unusable")
        before = Account.objects.filter(id=account_id).values(*paid_by).first()
        account = change_account(account_id=account_id, changes=changes, reason=reason, author=author, now=now)
        changed = before != {name: getattr(account, name) for name in paid_by}
        if changed and account.payment_method:
            send_payments_when_committed(payment_ids=end_authentications_by_another_method(account=account))
            try_new_method(account_id=account_id, author=author, now=now)
        return account
