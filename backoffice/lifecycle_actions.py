"""What people do about a subscription's life: close, reopen, pause and resume an account, move its trial's end."""

from functools import partial
from typing import Any

from accounts import clock
from accounts.billing_day import billing_day
from accounts.models import Account
from backoffice.action_previews import action_preview
from backoffice.actions import Action, Caller
from backoffice.lifecycle_forms import (
    CloseForm,
    PauseForm,
    RefundPeriodForm,
    ResumeForm,
    TakeBackForm,
    TrialForm,
    pending_choices,
)
from subscriptions.account_story import pending_changes_in_words
from subscriptions.lifecycle import close_account, reopen_account
from subscriptions.new_periods import BilledAccount
from subscriptions.pauses import pause_account, resume_account
from subscriptions.pending_changes import DAYS_OF, PendingChange, take_back
from subscriptions.trials import move_trial_end

_INACTIVE, _PAUSED, _UNPAID = (
    Account.Status.INACTIVE,
    Account.InactiveReason.PAUSED,
    Account.InactiveReason.UNPAID,
)


def _close(account: Account, data: dict[str, Any], caller: Caller) -> None:
    close_account(account_id=account.id, at=data["at"], collect=not data["give_up"], **caller.signed(data))


def _close_and_refund(account: Account, data: dict[str, Any], caller: Caller) -> None:
    close_account(account_id=account.id, refund=data["refund"], **caller.signed(data))


def _reopen(account: Account, data: dict[str, Any], caller: Caller) -> BilledAccount:
    return reopen_account(account_id=account.id, **caller.signed(data))


def _pause(account: Account, data: dict[str, Any], caller: Caller) -> None:
    pause_account(account_id=account.id, at=data["at"], until=data["until"], **caller.signed(data))


def _resume(account: Account, data: dict[str, Any], caller: Caller) -> BilledAccount:
    return resume_account(account_id=account.id, on=data["on"], **caller.signed(data))


def _take_back(account: Account, data: dict[str, Any], caller: Caller) -> None:
    take_back(account_id=account.id, change=data["change"], **caller.signed(data))


def _to_take_back(account: Account, data: dict[str, Any], caller: Caller) -> list[str]:
    waiting = pending_changes_in_words(account)
    return [waiting[name] for name in DAYS_OF[PendingChange(data["change"])] if name in waiting]


def _move_trial_end(account: Account, data: dict[str, Any], caller: Caller) -> BilledAccount:
    return move_trial_end(account_id=account.id, ends_on=data["ends_on"], **caller.signed(data))


def _can_be_closed(account: Account) -> bool:
    return account.inactive_reason in ("", _UNPAID, _PAUSED)


def _is_on_trial(account: Account) -> bool:
    ends_on = account.trial_ends_on
    return account.status != _INACTIVE and ends_on is not None and ends_on > billing_day(clock.now())


CLOSE = Action(
    name="close",
    label="Close account",
    explanation="The account isn't billed any more, from the day that you choose. Until then it can be taken back. "
    "What it owes is still collected; items that wait, and a debt that was carried forward, are billed on a last "
    "invoice. Its credit stays. Closed now, its periods that are due or parked are skipped, and nothing is refunded. "
    "One that is to be closed already can be closed now; for another day, take that back first.",
    done="The account was closed, or will be on its day.",
    permission="close_account",
    offered=_can_be_closed,
    perform=_close,
    preview=partial(action_preview, _close),
    form=CloseForm,
)
CLOSE_AND_REFUND = Action(
    name="close-and-refund",
    label="Close and refund",
    explanation="The account is closed now, and its running period is given back: first what is outstanding of its "
    "invoice, then the payments that were made at the gateway. What came from the account's credit, or was paid "
    "offline, becomes credit, which can be paid out.",
    done="The account was closed. Refunds are on their way.",
    permission="close_account",
    other_permission="refund_payment",
    offered=_can_be_closed,
    perform=_close_and_refund,
    preview=partial(action_preview, _close_and_refund),
    form=RefundPeriodForm,
)
REOPEN = Action(
    name="reopen",
    label="Reopen account",
    explanation="The account is billed again. A running period that is paid for, or still owed, goes on; otherwise a "
    "new period begins today, and is billed at once.",
    done="The account was reopened.",
    permission="reopen_account",
    offered=lambda account: account.status == _INACTIVE and account.inactive_reason != _PAUSED,
    perform=_reopen,
    preview=partial(action_preview, _reopen),
)
PAUSE = Action(
    name="pause",
    label="Pause account",
    explanation="No new period is billed until the account is resumed. What it owes is still collected. Paused now, "
    "its periods that are due or parked are skipped.",
    done="The account was paused, or will be on its day.",
    permission="pause_account",
    offered=lambda account: account.status != _INACTIVE and account.pauses_on is None,
    perform=_pause,
    preview=partial(action_preview, _pause),
    form=PauseForm,
)
RESUME = Action(
    name="resume",
    label="Resume account",
    explanation="The account is billed again. A running period that is paid for, or still owed, goes on; otherwise a "
    "new period begins on that day, and is billed at once where that is today. Days between aren't billed.",
    done="The account was resumed, or will be on its day.",
    permission="pause_account",
    offered=lambda account: account.inactive_reason == _PAUSED,
    perform=_resume,
    preview=partial(action_preview, _resume),
    form=ResumeForm,
)
TAKE_BACK = Action(
    name="take-back",
    label="Take back a pending change",
    explanation="The account goes on as if it hadn't been asked for. Without its end, a pause lasts until the account "
    "is resumed.",
    done="The change was taken back.",
    # What is taken back is chosen in the form.
    permission="close_account",
    other_permission="pause_account",
    offered=lambda account: bool(pending_choices(account)),
    perform=_take_back,
    preview=partial(action_preview, _take_back, pending=_to_take_back),
    form=TakeBackForm,
)
TRIAL = Action(
    name="trial",
    label="Extend or end the trial",
    explanation="The first period begins on the day that you choose, and periods are counted from it. Ended today, it "
    "is billed at once.",
    done="The trial's end was moved.",
    permission="update_account",
    offered=_is_on_trial,
    perform=_move_trial_end,
    preview=partial(action_preview, _move_trial_end),
    form=TrialForm,
)
