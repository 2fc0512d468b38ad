"""Closing and reopening accounts."""

import datetime
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from accounts.account_opening import reference_taken
from accounts.errors import Conflict, Invalid, refined
from accounts.ids import new_id
from accounts.locked_accounts import LockedAccount, lock_account, save_accounts
from accounts.models import Account
from accounts.reasons import checked_reason
from accounts.terms import withdraw_pending
from invoices.account_status import refresh_accounts
from invoices.items import pending_items, remove_items
from invoices.models import Item
from rebilling.period_states import skip_from, skip_waiting
from subscriptions.effective_days import At, usable_day
from subscriptions.last_invoice import bill_rest, credit_changes, write_off_balance
from subscriptions.new_periods import BilledAccount, bill_new_period
from subscriptions.reactivation import bill_again
from subscriptions.running_period import (
    PeriodRefund,
    end_of_running_period,
    give_back_running_period,
    period_refund,
)

_CLOSED = "the account was closed"


class UnableToClose(Conflict):
    code = "account-already-inactive"


class CancellationPending(Conflict):
    """The account is to be closed already."""

    code = "cancellation-pending"


class RefundNeedsNow(Invalid):
    """Only what is cut off now is given back: a period that runs to its end is used."""

    code = "refund-needs-now"


class CollectNeedsNow(Invalid):
    """What is owed on a later day is given up then, if it is."""

    code = "collect-needs-now"


class UnableToReopen(Conflict):
    code = "account-not-inactive"


class AccountPaused(Conflict):
    """A paused account is resumed, not reopened."""

    code = "account-paused"


@dataclass(frozen=True, slots=True)
class ClosedAccount:
    """An account that was closed, or is to be; and the items of which the rest is never billed, because it was closed
    now: what a deduction had left, what was netted with a refund, or, without `collect`, all that waited.
    """

    account: Account
    removed_items: Sequence[Item]


def close_account(
    *,
    account_id: uuid.UUID,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
    at: datetime.date | str = At.NOW,
    refund: str = PeriodRefund.NONE,
    collect: bool = True,
) -> ClosedAccount:
    """Close the account now, at the end of its running period, or on a date: it isn't billed any more. What it owes is
    still collected.

    Now: its periods that are DUE or PARKED are skipped, and of its running period nothing, the share of the days left
    or all is given back (`subscriptions/running_period.py`). Later: periods that start before the day are billed whole,
    and until then it can be taken back (`subscriptions/pending_changes.py`). Closed, items that wait and
    a debt that was carried forward are billed on a last invoice, or written off where that is too small to collect; now
    and without `collect`, items are removed and the debt is written off. Credit stays. Raises `UnknownAccount`,
    `UnableToClose`, `CancellationPending`, `UnusableDay`, `RefundNeedsNow`, `CollectNeedsNow`, `UnknownRefund`,
    `InvalidReason`, `PaymentInFlight` and `RefundInFlight`.
    """
    reason = checked_reason(reason)
    share = period_refund(refund)
    if share != PeriodRefund.NONE and at != At.NOW:
        raise RefundNeedsNow("The account was not closed.", refund="Only what is closed now is refunded.")
    if not collect and at != At.NOW:
        raise CollectNeedsNow("The account was not closed.", collect="Only what is closed now is given up.")
    with transaction.atomic():
        account = lock_account(account_id)
        if account.is_inactive and account.inactive_reason not in ("unpaid", "paused"):
            raise UnableToClose(f"The account {account_id} is already inactive ({account.inactive_reason}).")
        mark, waiting = new_id(), [item.id for item in pending_items([account_id])[account_id]]
        if at == At.NOW:
            _close_now(account, share, collect=collect, reason=reason, author=author, today=today, now=now)
        else:
            day = (
                end_of_running_period(account, today=today)
                if at == At.PERIOD_END
                else usable_day(at, name="at", earliest=today)
            )
            _close_on(account, day, reason=reason, author=author, today=today, now=now)
        save_accounts([account], author=author, now=now)
        # One that closing made: a deduction of what is given back.
        of_now = Q(id__in=waiting) | Q(id__gt=mark)
        removed = Item.objects.filter(of_now, account_id=account_id, removed_at__isnull=False).order_by("id")
        return ClosedAccount(Account.objects.get(id=account.id), list(removed))


def _close_now(
    account: LockedAccount,
    share: PeriodRefund,
    *,
    collect: bool = True,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> None:
    account.become(Account.Status.INACTIVE, reason=reason, inactive_reason=Account.InactiveReason.CLOSED.value)
    if share != PeriodRefund.NONE:
        give_back_running_period(account, share, reason=reason, author=author, today=today, now=now)
        refresh_accounts(accounts=[account], today=today, author=author, now=now)
    end_billing([account], author=author, today=today, now=now, collect=collect)


def _close_on(
    account: LockedAccount,
    day: datetime.date,
    *,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> None:
    if account.closes_on is not None:
        raise CancellationPending(f"The account is to be closed on {account.closes_on}. Take that back first.")
    if is_closed_by(account, day, today=today):
        _close_now(account, PeriodRefund.NONE, reason=reason, author=author, today=today, now=now)
        return
    account.plan(reason=reason, closes_on=day)
    skip_from(account, day)


def is_closed_by(account: LockedAccount, day: datetime.date, *, today: datetime.date) -> bool:
    """Whether an account that is to be closed on this day can be: the day has come, and all that starts before it was
    billed.
    """
    return day <= today and (account.is_inactive or account.rebilling_date >= day)


def end_billing(
    accounts: Collection[LockedAccount],
    *,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
    collect: bool = True,
) -> None:
    """What follows when accounts are closed: what waits to be charged is skipped, terms that are agreed for a later day
    are withdrawn, and items that wait and debts are billed, or given up without `collect`; unsaved.

    Of an account whose sign-up had to be paid, and isn't yet, nothing more is collected.
    """
    skip_waiting(accounts)
    withdraw_pending(accounts, reason=_CLOSED, today=today, now=now)
    items = pending_items([account.id for account in accounts])
    for account in accounts:
        if collect and not account.closes_on_decline:
            bill_rest(account, items[account.id], today=today, author=author, now=now)
            continue
        remove_items([(account, items[account.id])], reason=_CLOSED, author=author, now=now)
        if credit_changes(items[account.id], account, today=today, author=author):
            refresh_accounts(accounts=[account], today=today, author=author, now=now)
        if account.credit_balance_minor < 0:
            write_off_balance(account, why="Given up when the account was closed", today=today, author=author)


def reopen_account(
    *, account_id: uuid.UUID, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> BilledAccount:
    """Bill an inactive account again: PAST_DUE if something is past due, ACTIVE if an invoice was ever paid, PENDING
    otherwise.

    By the one rule of `invoices/resumption.py`: a running period of which enough is paid for, or still owed, goes on;
    otherwise a new one begins today, and is billed at once. Owing, its dunning starts anew. Its sign-up needn't be paid
    any more: declined, it is dunned. Raises `UnknownAccount`, `UnableToReopen`, `AccountPaused`,
    `ExternalReferenceTaken` and `InvalidReason`.
    """
    reason = checked_reason(reason)
    reference = Account.objects.filter(id=account_id).values_list("external_reference", flat=True).first()
    with refined({"account_external_reference_once": reference_taken(reference)}), transaction.atomic():
        account = lock_account(account_id)
        if not account.is_inactive:
            raise UnableToReopen(f"The account {account_id} is {account.status}, not INACTIVE.")
        if account.is_paused:
            raise AccountPaused(f"The account {account_id} is paused: resume it.")
        account.keep_on_decline(reason=reason)
        bill_again([account], since=today, reason=reason, author=author, today=today, now=now)
        save_accounts([account], author=author, now=now)
        new_period = bill_new_period(account, today=today, now=now)
        return BilledAccount(Account.objects.get(id=account.id), new_period)
