"""Closing and reopening accounts."""

import datetime
import uuid

from django.db import transaction

from accounts.account_status import NewStatus, change_statuses
from accounts.billing_calendar import in_range
from accounts.errors import Conflict
from accounts.locks import lock_account
from accounts.models import Account
from accounts.reasons import checked_reason
from rebilling.models import Rebilling, SkipReason
from rebilling.skip_and_park import skip


class UnableToClose(Conflict):
    code = "account-already-inactive"


class UnableToReopen(Conflict):
    code = "account-not-inactive"


def close_account(*, account_id: uuid.UUID, reason: str, author: str, now: datetime.datetime) -> Account:
    """Close the account: it isn't charged any more. Earlier charges are still collected.

    Its periods that are DUE or PARKED are skipped. Raises `UnknownAccount`, `UnableToClose` and `ReasonMissing`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account = lock_account(account_id)
        if account.status == Account.Status.INACTIVE:
            raise UnableToClose(f"The account {account_id} is already inactive ({account.inactive_reason}).")
        closed = NewStatus(account, Account.Status.INACTIVE, reason, Account.InactiveReason.CLOSED)
        change_statuses(changes=[closed], author=author, now=now)
        waiting = account.rebillings.filter(status__in=[Rebilling.Status.DUE, Rebilling.Status.PARKED])
        skip(rebillings=waiting, reason=SkipReason.ACCOUNT_INACTIVE)
        return account


def reopen_account(
    *, account_id: uuid.UUID, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Account:
    """Bill an inactive account again: PAST_DUE if a charge is unpaid, ACTIVE if one was ever paid, PENDING otherwise.

    If a period that it was charged for is still running, billing goes on at the end of it; if its first charge is
    still ahead (a trial, a later start), then. Otherwise `today` becomes its anchor date. Raises `UnknownAccount`,
    `UnableToReopen` and `ReasonMissing`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account = lock_account(account_id)
        if account.status != Account.Status.INACTIVE:
            raise UnableToReopen(f"The account {account_id} is {account.status}, not INACTIVE.")
        if not _keeps_its_dates(account, today):
            account.anchor_date = account.rebilling_date = account.first_rebilling_date = in_range(today)
        account.billing_since = now
        account.save(update_fields=["anchor_date", "rebilling_date", "first_rebilling_date", "billing_since"])
        change_statuses(changes=[NewStatus(account, _status_of(account), reason)], author=author, now=now)
        return account


def _keeps_its_dates(account: Account, today: datetime.date) -> bool:
    """Whether its next period is still ahead, and the time until then is charged or was agreed to be free."""
    if account.rebilling_date <= today or account.inactive_reason == Account.InactiveReason.IMPORTED:
        return False
    running = account.rebillings.filter(period_end=account.rebilling_date).exclude(status=Rebilling.Status.SKIPPED)
    voided = running.filter(status=Rebilling.Status.VOIDED).exclude(period_start=today)
    # If the running period's charge was reversed, a new period begins today. Not if that one also started today: a
    # period that starts today was charged already, and is charged once.
    return not voided.exists()


def _status_of(account: Account) -> Account.Status:
    if account.rebillings.filter(status=Rebilling.Status.UNPAID).exists():
        return Account.Status.PAST_DUE
    if account.rebillings.filter(status=Rebilling.Status.PAID).exists():
        return Account.Status.ACTIVE
    return Account.Status.PENDING
