"""Changes of status: each a row of history with a reason and an author."""

import datetime
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from accounts.models import Account, StatusChange


@dataclass(frozen=True, slots=True)
class NewStatus:
    """An account's new status, and why. `inactive_reason` goes with INACTIVE alone."""

    account: Account
    status: Account.Status
    reason: str
    inactive_reason: str = ""


def change_statuses(*, changes: Iterable[NewStatus], author: str, now: datetime.datetime) -> None:
    """Give accounts (locked by the caller) their new statuses: a statement a status, and one for the history."""
    history = []
    by_status: dict[tuple[Account.Status, str], list[uuid.UUID]] = defaultdict(list)
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
        by_status[change.status, change.inactive_reason].append(account.id)
    for (status, inactive_reason), ids in by_status.items():
        Account.objects.filter(id__in=ids).update(status=status, inactive_reason=inactive_reason)
    StatusChange.objects.bulk_create(history)
