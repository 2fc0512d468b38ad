"""The dunning schedule, one per account: on which days a declined invoice is collected again. Pure.

It begins with the first decline, and its days are counted from the last step taken: when we were down, steps come late
and none is lost. `payments/dunning_steps.py` takes its steps.
"""

import datetime

from django.conf import settings

from accounts.locked_accounts import LockedAccount


def days_to_step(step: int) -> int | None:
    """Days from the step before (0 is the first decline) to step `step` + 1, or None when the schedule is over."""
    days = [0, *settings.DUNNING_DAYS]
    return days[step + 1] - days[step] if step + 1 < len(days) else None


def plan_next_step(account: LockedAccount, *, today: datetime.date) -> None:
    """Set the day of the step after those that were taken, unsaved; None after the last one."""
    days = days_to_step(account.dunning_steps)
    account.dunning_on = None if days is None else today + datetime.timedelta(days=days)


def has_begun(account: LockedAccount) -> bool:
    """Whether a step was taken or has its day: dunning began, and isn't over by having been paid."""
    return account.dunning_on is not None or account.dunning_steps > 0


def is_over(account: LockedAccount) -> bool:
    """Whether all steps were taken. Where there is no day otherwise, dunning hasn't begun or a step is in flight."""
    return account.dunning_on is None and account.dunning_steps >= len(settings.DUNNING_DAYS)
