"""Pending changes of accounts: to be closed, paused or resumed on a day. The days lie on the account; who asked for
them, and why, is the account's history.
"""

import datetime
import uuid
from collections.abc import Collection
from typing import NamedTuple, Protocol

from accounts.models import AccountChange

DAYS = ("closes_on", "pauses_on", "resumes_on")
"""The fields of an account that hold the days."""


class Pending(NamedTuple):
    """A change that is to come: on which day, why, and who asked for it."""

    on: datetime.date
    reason: str
    author: str


class WithPendingChanges(Protocol):
    """An account, as a row or locked."""

    @property
    def id(self) -> uuid.UUID: ...
    @property
    def closes_on(self) -> datetime.date | None: ...
    @property
    def pauses_on(self) -> datetime.date | None: ...
    @property
    def resumes_on(self) -> datetime.date | None: ...


def pending_changes(accounts: Collection[WithPendingChanges]) -> dict[uuid.UUID, dict[str, Pending]]:
    """What is pending of each account, by the field that holds its day; in one statement, or none where nothing is."""
    days = {account.id: _days_of(account) for account in accounts}
    waiting = [account_id for account_id, found in days.items() if found]
    pending = {
        account_id: {name: Pending(day, "", "") for name, day in found.items()} for account_id, found in days.items()
    }
    if not waiting:
        return pending
    for change in AccountChange.objects.filter(account_id__in=waiting, after__has_any_keys=DAYS).order_by("id"):
        for name, day in days[change.account_id].items():
            # The newest that set this day.
            if change.after.get(name) == day.isoformat():
                pending[change.account_id][name] = Pending(day, change.reason, change.author)
    return pending


def _days_of(account: WithPendingChanges) -> dict[str, datetime.date]:
    return {name: day for name in DAYS if (day := getattr(account, name)) is not None}
