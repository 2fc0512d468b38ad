"""Taking back what is pending: a closing, a pause or the end of a pause. `subscriptions/due_changes.py` carries it out
on its day.
"""

import datetime
import uuid

from django.db import models, transaction

from accounts.errors import Conflict, Invalid
from accounts.locked_accounts import lock_account, save_accounts
from accounts.models import Account
from accounts.phrases import one_of
from accounts.reasons import checked_reason


class PendingChange(models.TextChoices):
    """What may be pending."""

    CANCELLATION = "cancellation"
    PAUSE = "pause"
    RESUMPTION = "resumption"


DAYS_OF = {
    PendingChange.CANCELLATION: ("closes_on",),
    PendingChange.PAUSE: ("pauses_on", "resumes_on"),
    PendingChange.RESUMPTION: ("resumes_on",),
}
"""The days on the account that go with each. A pause that hasn't begun goes with its end."""


class UnknownChange(Invalid):
    code = "unknown-change"


class NothingPending(Conflict):
    """No such change is to come, or it has come already."""

    code = "nothing-pending"


def take_back(
    *, account_id: uuid.UUID, change: str, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Account:
    """Take back the account's pending cancellation, its pending pause with its end, or only the end of its pause: then
    it lasts until the account is resumed.

    Raises `UnknownAccount`, `UnknownChange`, `NothingPending` and `InvalidReason`.
    """
    reason = checked_reason(reason)
    if change not in PendingChange:
        raise UnknownChange("Nothing was changed.", change=one_of(PendingChange.values))
    first, *others = DAYS_OF[PendingChange(change)]
    with transaction.atomic():
        account = lock_account(account_id)
        if getattr(account, first) is None:
            raise NothingPending(f"No {change} of the account {account_id} is pending.")
        account.plan(reason=reason, **dict.fromkeys((first, *others)))
        save_accounts([account], author=author, now=now)
        if account.rebilling_date <= today:
            # Periods that no sweep was to find are to be found by the next one.
            Account.objects.filter(id=account.id).update(billing_since=now)
        return Account.objects.get(id=account.id)
