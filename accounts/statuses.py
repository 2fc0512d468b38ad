"""Changes of status: each a row of history with a reason and an author."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from accounts.models import Account, StatusChange


@dataclass(frozen=True, slots=True)
class NewStatus:
    """The status that an account is to have, and why. `inactive_reason` goes with INACTIVE alone."""

    account: Account
    status: Account.Status
    reason: str
    inactive_reason: str = ""


def change_statuses(*, changes: Iterable[NewStatus], author: str, now: datetime.datetime) -> None:
    """Give accounts (locked by the caller) their new statuses, in two statements whatever their number."""
    history = []
    changed = []
    for change in changes:
        account = change.account
        history.append(
            StatusChange(
                account=account,
                from_status=account.status,
                to_status=change.status,
                reason=change.reason,
                author=author,
                changed_at=now,
            )
        )
        account.status = change.status
        account.inactive_reason = change.inactive_reason
        changed.append(account)
    if changed:
        Account.objects.bulk_update(changed, ["status", "inactive_reason"])
        StatusChange.objects.bulk_create(history)
