"""Pausing and resuming accounts: while an account is paused, no new period of it is billed, and what it owes is still
collected.
"""

import datetime
import uuid

from django.db import transaction

from accounts.errors import Conflict
from accounts.locked_accounts import LockedAccount, lock_account, save_accounts
from accounts.models import Account
from accounts.reasons import checked_reason
from rebilling.period_states import skip_from, skip_waiting
from subscriptions.effective_days import At, UnusableDay, usable_day
from subscriptions.new_periods import BilledAccount, bill_new_period
from subscriptions.reactivation import bill_again
from subscriptions.running_period import end_of_running_period

DAY = datetime.timedelta(days=1)


class AlreadyPaused(Conflict):
    code = "account-already-paused"


class PausePending(Conflict):
    """A pause is to begin already."""

    code = "pause-pending"


class UnableToPause(Conflict):
    """The account is INACTIVE for another reason, or is closed before the pause would begin."""

    code = "unable-to-pause"


class NotPaused(Conflict):
    code = "account-not-paused"


def pause_account(
    *,
    account_id: uuid.UUID,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
    at: str = At.PERIOD_END,
    until: datetime.date | None = None,
) -> Account:
    """Pause the account from the end of its running period, or now, until a date (it is billed again from then), or
    until it is resumed.

    Periods that start by then are billed; now, those that are DUE or PARKED are skipped. What is owed stays owed, is
    collected and dunned. Raises `UnknownAccount`, `AlreadyPaused`, `PausePending`, `UnableToPause`, `UnusableDay` and
    `InvalidReason`.
    """
    reason = checked_reason(reason)
    if at not in At:
        raise UnusableDay("Nothing was changed.", at=f"Must be {At.NOW} or {At.PERIOD_END}.")
    with transaction.atomic():
        account = lock_account(account_id)
        _check_can_be_paused(account)
        day = today if at == At.NOW else end_of_running_period(account, today=today)
        if account.closes_on is not None and account.closes_on <= day:
            raise UnableToPause(f"The account is to be closed on {account.closes_on}.")
        if until is not None:
            account.plan(reason=reason, resumes_on=usable_day(until, name="until", earliest=day + DAY))
        if at == At.NOW:
            begin_pause(account, reason=reason)
            skip_waiting([account])
        else:
            account.plan(reason=reason, pauses_on=day)
            skip_from(account, day)
        save_accounts([account], author=author, now=now)
        return Account.objects.get(id=account.id)


def _check_can_be_paused(account: LockedAccount) -> None:
    if account.is_paused:
        raise AlreadyPaused(f"The account {account.id} is paused already.")
    if account.is_inactive:
        raise UnableToPause(f"The account {account.id} is INACTIVE ({account.inactive_reason}): it isn't billed.")
    if account.pauses_on is not None:
        raise PausePending(f"The account is to be paused on {account.pauses_on}. Take that back first.")


def begin_pause(account: LockedAccount, *, reason: str) -> None:
    """The account is INACTIVE (`paused`), unsaved."""
    account.become(Account.Status.INACTIVE, reason=reason, inactive_reason=Account.InactiveReason.PAUSED.value)


def resume_account(
    *,
    account_id: uuid.UUID,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
    on: datetime.date | None = None,
) -> BilledAccount:
    """Bill a paused account again, from now or from a date, which takes the place of the one that was set before.

    By the one rule of `invoices/resumption.py`: a running period of which enough is paid for, or still owed, goes on;
    otherwise a new one begins on that day; today, it is billed at once. Owing, its dunning starts anew. Raises
    `UnknownAccount`, `NotPaused`, `UnusableDay` and `InvalidReason`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account = lock_account(account_id)
        if not account.is_paused:
            raise NotPaused(_why_not_paused(account))
        day = today if on is None else usable_day(on, name="on", earliest=today)
        if account.closes_on is not None and account.closes_on <= day:
            raise UnusableDay("Nothing was changed.", on=f"The account is to be closed on {account.closes_on}.")
        if day > today:
            account.plan(reason=reason, resumes_on=day)
        else:
            bill_again([account], since=today, reason=reason, author=author, today=today, now=now)
        save_accounts([account], author=author, now=now)
        new_period = bill_new_period(account, today=today, now=now)
        return BilledAccount(Account.objects.get(id=account.id), new_period)


def _why_not_paused(account: LockedAccount) -> str:
    if account.pauses_on is not None:
        return f"The account's pause begins on {account.pauses_on}. Take it back instead."
    return f"The account {account.id} is {account.status}, not paused."
