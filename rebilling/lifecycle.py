"""Closing and reopening accounts."""

import datetime
import uuid

from django.db import transaction

from accounts.billing_calendar import in_range
from accounts.locks import lock_account
from accounts.models import Account
from accounts.refusals import Conflict
from accounts.statuses import NewStatus, change_statuses
from rebilling.models import Rebilling, SkipReason
from rebilling.reasons import checked_reason
from rebilling.setting_aside import skip


class UnableToClose(Conflict):
    code = "account-already-inactive"


class UnableToReopen(Conflict):
    code = "account-not-inactive"


def close_account(*, account_id: uuid.UUID, reason: str, author: str, now: datetime.datetime) -> Account:
    """Close the account: it isn't charged any more. What it was charged before is still collected.

    Its periods that are DUE or PARKED are skipped. Raises `UnknownAccount`, `UnableToClose` and `ReasonMissing`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account = lock_account(account_id)
        if account.status == Account.Status.INACTIVE:
            raise UnableToClose(f"The account {account_id} is inactive already ({account.inactive_reason}).")
        closed = NewStatus(account, Account.Status.INACTIVE, reason, Account.InactiveReason.CLOSED)
        change_statuses(changes=[closed], author=author, now=now)
        waiting = account.rebillings.filter(status__in=[Rebilling.Status.DUE, Rebilling.Status.PARKED])
        skip(rebillings=waiting, reason=SkipReason.ACCOUNT_INACTIVE)
        return account


def reopen_account(
    *, account_id: uuid.UUID, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Account:
    """Bill an inactive account again: PAST_DUE if it owes for a charge, ACTIVE if it ever paid one, PENDING otherwise.

    While a period that it was charged for still runs it goes on at that period's end, and when its first charge is
    still ahead (a trial, a later start) at that; otherwise it is anchored anew on `today`. Raises `UnknownAccount`,
    `UnableToReopen` and `ReasonMissing`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account = lock_account(account_id)
        if account.status != Account.Status.INACTIVE:
            raise UnableToReopen(f"The account {account_id} is {account.status}, not INACTIVE.")
        if not _goes_on(account, today):
            account.anchor_date = account.rebilling_date = account.first_rebilling_date = in_range(today)
        account.billing_since = now
        account.save(update_fields=["anchor_date", "rebilling_date", "first_rebilling_date", "billing_since"])
        change_statuses(changes=[NewStatus(account, _status_of(account), reason)], author=author, now=now)
        return account


def _goes_on(account: Account, today: datetime.date) -> bool:
    """Whether its next period is still ahead, and what runs until then is paid for or was agreed to be free."""
    if account.rebilling_date <= today or account.inactive_reason == Account.InactiveReason.IMPORTED:
        return False
    running = account.rebillings.filter(period_end=account.rebilling_date).exclude(status=Rebilling.Status.SKIPPED)
    given_back = running.filter(status=Rebilling.Status.VOIDED).exclude(period_start=today)
    # A period whose charge was reversed isn't paid for, so billing starts anew today; unless it started today:
    # a period is charged once, and today's was.
    return not given_back.exists()


def _status_of(account: Account) -> Account.Status:
    if account.rebillings.filter(status=Rebilling.Status.UNPAID).exists():
        return Account.Status.PAST_DUE
    if account.rebillings.filter(status=Rebilling.Status.PAID).exists():
        return Account.Status.ACTIVE
    return Account.Status.PENDING
