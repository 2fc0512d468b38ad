"""Accounts under their lock: whatever writes about accounts locks them first, in id order, and then looks again.

A function that needs the lock takes a `LockedAccount`, which only locking makes. What changes of an account while it is
locked is set on it and written by `save_accounts`, in two statements whatever the number of accounts.
"""

import datetime
import uuid
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Model
from django.db.transaction import TransactionManagementError

from accounts.account_history import record_changes
from accounts.array_literals import plain_array, text_array, uuid_array
from accounts.errors import Missing
from accounts.models import Account
from accounts.sql_files import query


class UnknownAccount(Missing):
    code = "unknown-account"


@dataclass(slots=True)
class LockedAccount:
    """An account that the present transaction has locked. Fields are those of `accounts.models.Account`.

    What changes while it is locked is set here, and written by `save_accounts`: status, dates, balance, counters,
    dunning, pending changes, and whether the method can be used. The status is set by `become` alone, a pending change
    by `plan`.
    """

    id: uuid.UUID
    currency: str
    status: str
    inactive_reason: str
    anchor_date: datetime.date
    rebilling_date: datetime.date
    first_rebilling_date: datetime.date
    collection_method: str
    net_days: int
    payment_customer: str
    payment_method: str
    payment_method_unusable: bool
    credit_balance_minor: int
    number_prefix: str
    invoices_issued: int
    credit_notes_issued: int
    dunning_steps: int
    dunning_on: datetime.date | None
    opened_on: datetime.date
    on_decline: str
    closes_on: datetime.date | None
    pauses_on: datetime.date | None
    resumes_on: datetime.date | None
    tax_rate_id: uuid.UUID | None
    discount_id: uuid.UUID | None
    changes: list[tuple[str, dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    """What was noted for the history: reason, fields before, fields after."""

    @property
    def is_inactive(self) -> bool:
        return self.status == Account.Status.INACTIVE

    @property
    def is_automatic(self) -> bool:
        """Whether we collect from it at the gateway."""
        return self.collection_method == Account.CollectionMethod.AUTOMATIC

    @property
    def is_paused(self) -> bool:
        return self.inactive_reason == Account.InactiveReason.PAUSED

    @property
    def billing_stops_on(self) -> datetime.date | None:
        """The day of a pending closing or pause: no period that starts then or later is billed."""
        # For each account of a batch: most have none.
        if self.closes_on is None:
            return self.pauses_on
        return self.closes_on if self.pauses_on is None else min(self.closes_on, self.pauses_on)

    def bills_from(self, day: datetime.date) -> bool:
        """Whether a period that begins on this day is billed: it isn't INACTIVE, nor to be closed or paused by then."""
        return not self.is_inactive and (self.billing_stops_on is None or day < self.billing_stops_on)

    def become(self, status: Account.Status, *, reason: str, inactive_reason: str = "") -> None:
        """Give the account another status, and note it for its history. The same status again is no change.

        What was pending and can't come any more is dropped: everything when it is closed, the beginning of a pause when
        it is paused, its end when it is billed again. A sign-up that had to be paid needn't be any more once the
        account is ACTIVE or PAST_DUE.
        """
        if (status, inactive_reason) == (self.status, self.inactive_reason):
            return
        before: dict[str, Any] = {"status": self.status}
        after: dict[str, Any] = {"status": status.value}
        if self.inactive_reason or inactive_reason:
            before["inactive_reason"], after["inactive_reason"] = self.inactive_reason or None, inactive_reason or None
        self.note(reason=reason, before=before, after=after)
        if inactive_reason == Account.InactiveReason.CLOSED:
            self.plan(reason=reason, closes_on=None, pauses_on=None, resumes_on=None)
        elif inactive_reason == Account.InactiveReason.PAUSED:
            self.plan(reason=reason, pauses_on=None)
        elif self.is_paused:
            self.plan(reason=reason, resumes_on=None)
        if status in {Account.Status.ACTIVE, Account.Status.PAST_DUE}:
            self.keep_on_decline(reason=reason)
        self.status, self.inactive_reason = status.value, inactive_reason

    def plan(self, *, reason: str, **days: datetime.date | None) -> None:
        """Set days on which it is to be closed, paused or resumed, or None to drop them: `plan(closes_on=day)`."""
        changed = {name: day for name, day in days.items() if day != getattr(self, name)}
        if not changed:
            return
        before = {name: _day_in_history(getattr(self, name)) for name in changed}
        self.note(reason=reason, before=before, after={name: _day_in_history(day) for name, day in changed.items()})
        for name, day in changed.items():
            setattr(self, name, day)

    def note(self, *, reason: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Note for the history what changed. What changes for one reason, one after the other, is one row of it."""
        if self.changes and self.changes[-1][0] == reason:
            _, earlier, since = self.changes.pop()
            before, after = before | earlier, since | after
        self.changes.append((reason, before, after))

    def mark_method_unusable(self, *, reason: str) -> None:
        """Its payment method can only fail again: it isn't used any more."""
        if not self.payment_method_unusable:
            self.note(reason=reason, before={"payment_method_unusable": False}, after={"payment_method_unusable": True})
            self.payment_method_unusable = True

    @property
    def closes_on_decline(self) -> bool:
        """Whether its sign-up must be paid, and hasn't been."""
        return self.on_decline == Account.OnDecline.CLOSE

    def keep_on_decline(self, *, reason: str) -> None:
        """From here on it is dunned, and not closed, when a payment is declined."""
        if self.closes_on_decline:
            dun = Account.OnDecline.DUN.value
            self.note(reason=reason, before={"on_decline": self.on_decline}, after={"on_decline": dun})
            self.on_decline = dun

    def skip_to(self, day: datetime.date, *, reason: str) -> None:
        """Go on with the period that begins on this day: the one before it isn't billed."""
        before, after = {"rebilling_date": self.rebilling_date.isoformat()}, {"rebilling_date": day.isoformat()}
        self.note(reason=reason, before=before, after=after)
        self.rebilling_date = day

    def begin_on(self, day: datetime.date, *, reason: str) -> None:
        """Count its periods from this day, which is also the first of them that isn't billed yet."""
        self.note(
            reason=reason,
            before={"anchor_date": self.anchor_date.isoformat(), "rebilling_date": self.rebilling_date.isoformat()},
            after={"anchor_date": day.isoformat(), "rebilling_date": day.isoformat()},
        )
        self.anchor_date = self.rebilling_date = self.first_rebilling_date = day


def _day_in_history(day: datetime.date | None) -> str | None:
    return day.isoformat() if day else None


def _locking() -> AbstractContextManager[CursorWrapper]:
    """A cursor to lock by. Raises `TransactionManagementError` where no transaction would keep the lock."""
    if not connection.in_atomic_block:
        raise TransactionManagementError("accounts are locked within a transaction, and there is none")
    return connection.cursor()


def lock_accounts(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, LockedAccount]:
    """The accounts by id, in id order, locked until the transaction ends. Ids that don't exist are left out.

    In id order, so that two operations never wait for each other; `FOR NO KEY UPDATE`, because a plain `FOR UPDATE`
    fights the share locks of foreign keys.
    """
    with _locking() as cursor:
        cursor.execute(query(__file__, "lock_accounts"), {"ids": uuid_array(set(ids))})
        return {row[0]: LockedAccount(*row) for row in cursor.fetchall()}


def lock_accounts_only(model: type[Model], ids: Collection[uuid.UUID]) -> None:
    """Lock the accounts of the model's rows, where nothing of theirs is read or changed, as `lock_accounts`."""
    with _locking() as cursor:
        cursor.execute(query(__file__, "lock_accounts_only", table=model._meta.db_table), {"ids": uuid_array(ids)})


def lock_accounts_of(model: type[Model], ids: Collection[uuid.UUID]) -> dict[uuid.UUID, LockedAccount]:
    """The accounts of the model's rows by id, as `lock_accounts`."""
    with _locking() as cursor:
        cursor.execute(query(__file__, "lock_accounts_of", table=model._meta.db_table), {"ids": uuid_array(ids)})
        return {row[0]: LockedAccount(*row) for row in cursor.fetchall()}


def lock_account(account_id: uuid.UUID) -> LockedAccount:
    """The account, locked until the transaction ends. Raises `UnknownAccount`."""
    accounts = lock_accounts([account_id])
    if account_id not in accounts:
        raise UnknownAccount(f"There is no account {account_id}.")
    return accounts[account_id]


def get_account(account_id: uuid.UUID) -> Account:
    """The account as it is, without a lock. Raises `UnknownAccount`."""
    account = Account.objects.filter(id=account_id).first()
    if account is None:
        raise UnknownAccount(f"There is no account {account_id}.")
    return account


def save_accounts(accounts: Collection[LockedAccount], *, author: str, now: datetime.datetime) -> None:
    """Write what was set on locked accounts, and their history."""
    if not accounts:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            query(__file__, "save_accounts"),
            {
                "now": now,
                "ids": uuid_array([account.id for account in accounts]),
                "statuses": plain_array([account.status for account in accounts]),
                "inactive_reasons": text_array([account.inactive_reason for account in accounts]),
                "anchors": plain_array([account.anchor_date for account in accounts]),
                "rebilling_dates": plain_array([account.rebilling_date for account in accounts]),
                "first_dates": plain_array([account.first_rebilling_date for account in accounts]),
                "unusable": plain_array([account.payment_method_unusable for account in accounts]),
                "balances": plain_array([account.credit_balance_minor for account in accounts]),
                "invoices": plain_array([account.invoices_issued for account in accounts]),
                "credit_notes": plain_array([account.credit_notes_issued for account in accounts]),
                "steps": plain_array([account.dunning_steps for account in accounts]),
                "dunning_dates": plain_array([account.dunning_on for account in accounts]),
                "opened": plain_array([account.opened_on for account in accounts]),
                "on_decline": plain_array([account.on_decline for account in accounts]),
                "closing": plain_array([account.closes_on for account in accounts]),
                "pausing": plain_array([account.pauses_on for account in accounts]),
                "resuming": plain_array([account.resumes_on for account in accounts]),
            },
        )
        changes = [(account.id, *change) for account in accounts for change in account.changes]
        if changes:
            record_changes(changes, author=author, now=now)
    for account in accounts:
        account.changes.clear()
