"""Trials: moving the day on which one ends, and with it the account's first period."""

import datetime
import uuid

from django.db import transaction

from accounts.errors import Conflict
from accounts.locked_accounts import LockedAccount, lock_account, save_accounts
from accounts.models import Account
from accounts.reasons import checked_reason
from accounts.terms import add_terms, terms_of, withdraw
from subscriptions.effective_days import UnusableDay, usable_day
from subscriptions.new_periods import BilledAccount, bill_new_period

MAX_TRIAL_DAYS = 730
"""Counted from today: no longer than a plan's."""


class NotOnTrial(Conflict):
    """The account has no trial, or it is over."""

    code = "not-on-trial"


class ChangePending(Conflict):
    """The account is to be closed or paused: whoever asked for it knows the trial's end as it is."""

    code = "change-pending"


def move_trial_end(
    *,
    account_id: uuid.UUID,
    ends_on: datetime.date,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> BilledAccount:
    """Let the account's trial end on another day, later or earlier; with today, it ends now. The first period begins on
    that day, and periods are counted from it; today, it is billed at once.

    Terms that are agreed for the first period go with it. Raises `UnknownAccount`, `NotOnTrial`, `ChangePending`,
    `UnusableDay` and `InvalidReason`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account = lock_account(account_id)
        ended_on = Account.objects.values_list("trial_ends_on", flat=True).get(id=account_id)
        if account.is_inactive or ended_on is None or ended_on <= today:
            raise NotOnTrial(f"The account {account_id} isn't on a trial.")
        if stops_on := account.billing_stops_on:
            raise ChangePending(f"The account is to be closed or paused on {stops_on}. Take that back first.")
        usable_day(ends_on, name="ends_on", earliest=today)
        latest = today + datetime.timedelta(days=MAX_TRIAL_DAYS)
        if ends_on > latest:
            raise UnusableDay("Nothing was changed.", ends_on=f"Must be {latest} or earlier.")
        if ends_on != ended_on:
            account.note(
                reason=reason,
                before={"trial_ends_on": ended_on.isoformat()},
                after={"trial_ends_on": ends_on.isoformat()},
            )
            _anchor_terms(account, ends_on, reason=reason, author=author, today=today, now=now)
            account.begin_on(ends_on, reason=reason)
            Account.objects.filter(id=account_id).update(trial_ends_on=ends_on)
        save_accounts([account], author=author, now=now)
        new_period = bill_new_period(account, today=today, now=now)
        return BilledAccount(Account.objects.get(id=account_id), new_period)


def _anchor_terms(
    account: LockedAccount,
    anchor: datetime.date,
    *,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> None:
    """The terms count from the new day, and those that are agreed for the first period go with it. What is agreed for a
    later period is withdrawn: its day is no period's first day any more.
    """
    history = terms_of([account.id])[account.id]
    anchored = [history.in_force(today)._replace(effective_from=today, anchor_date=anchor)]
    if pending := history.pending(today):
        withdraw([(account, pending)], reason=reason, now=now)
        if pending.effective_from == account.rebilling_date:
            anchored.append(pending._replace(effective_from=anchor, anchor_date=anchor))
            account.note(reason=reason, before={}, after={"pending_terms": anchor.isoformat()})
    for terms in anchored:
        add_terms(terms={account.id: terms}, reason=reason, author=author, now=now)
