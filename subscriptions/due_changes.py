"""Carrying out what is pending on its day: accounts are paused, resumed and closed, and periods are cut where terms
that count them anew begin.

Safe to repeat, and to come late: what should have happened on a day that was missed happens as of that day. An account
with unbilled periods from before its pause or closing waits until they are billed; none that starts later is.
"""

import datetime
import logging
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from django.db.models import Exists, OuterRef, Q

from accounts.authors import SYSTEM
from accounts.bisection import FailedItem, bisect_batch, describe
from accounts.locked_accounts import LockedAccount, lock_accounts, save_accounts
from accounts.models import CUT_PENDING, Account, Terms
from accounts.pending_changes import Pending, pending_changes
from rebilling.period_states import skip_waiting
from subscriptions.lifecycle import end_billing, is_closed_by
from subscriptions.pauses import begin_pause
from subscriptions.period_cuts import WaitingCut, cut_periods, cuts_due
from subscriptions.reactivation import bill_again

logger = logging.getLogger(__name__)

BATCH_ACCOUNTS = 500
MAX_WAIT = datetime.timedelta(days=3)
"""A period that waits longer to be cut, so that its account isn't billed, is logged as an error, and rings."""

Reasons = dict[uuid.UUID, dict[str, Pending]]


class CarriedOut(NamedTuple):
    """How many accounts changed, and those whose period waits to be cut."""

    changed: int
    waiting: Mapping[uuid.UUID, WaitingCut]


def apply_due_changes(*, as_of: datetime.date, today: datetime.date, now: datetime.datetime) -> int:
    """Pause, resume and close the accounts, and cut the periods, for which that was to happen by `as_of`. Entries are
    written on `today`, the billing day. Returns the number of accounts that changed.

    An account that the database refuses is logged as an error and left as it is: it holds up no other, and the next run
    tries again.
    """
    changed = 0
    for ids in _accounts_due(as_of):
        for part in bisect_batch(items=ids, work=lambda part: _apply(part, as_of=as_of, today=today, now=now)):
            if isinstance(part, FailedItem):
                about = {"event": "account.change_refused", "account": str(part.item), "error": describe(part.error)}
                logger.error("an account's pending change can't be carried out", extra=about)
            else:
                changed += part
    return changed


def _accounts_due(as_of: datetime.date) -> Iterator[list[uuid.UUID]]:
    """The accounts whose day has come, in batches by keyset; some of them wait for their periods to be billed."""
    days = Q(closes_on__lte=as_of) | Q(pauses_on__lte=as_of) | Q(resumes_on__lte=as_of)
    to_cut = Terms.objects.filter(CUT_PENDING, account=OuterRef("pk"), effective_from__lte=as_of)
    # Apart, so that each uses its own partial indexes.
    for due in (Account.objects.filter(days), Account.objects.exclude(days).filter(Exists(to_cut))):
        ids = due.order_by("id").values_list("id", flat=True)
        page = list(ids[:BATCH_ACCOUNTS])
        while page:
            yield page
            page = list(ids.filter(id__gt=page[-1])[:BATCH_ACCOUNTS])


def _apply(ids: Sequence[uuid.UUID], *, as_of: datetime.date, today: datetime.date, now: datetime.datetime) -> int:
    done = carry_out(list(lock_accounts(ids).values()), as_of=as_of, today=today, now=now)
    for account_id, cut in done.waiting.items():
        about = {"event": "account.cut_waits", "account": str(account_id), "day": cut.day.isoformat()}
        late = as_of - cut.day > MAX_WAIT
        level = logging.ERROR if late else logging.WARNING
        logger.log(level, "a period waits to be cut", extra=about | {"because": str(cut.because)})
    return done.changed


def carry_out(
    accounts: Sequence[LockedAccount], *, as_of: datetime.date, today: datetime.date, now: datetime.datetime
) -> CarriedOut:
    """Carry out what is pending of locked accounts as of this day, in the order of the days: an account may be paused,
    resumed and closed by one late run. One whose period waits to be cut waits with what comes after that. They are
    saved.
    """
    reasons = pending_changes(accounts)
    cuts = cuts_due(accounts, as_of=as_of)
    first = [each for each in accounts if each.id in cuts and _comes_first(each, cuts[each.id].effective_from)]
    waiting = cut_periods(first, cuts, today=today, now=now)
    ready = [account for account in accounts if account.id not in waiting]
    _pause([account for account in ready if _has_come(account, account.pauses_on, as_of)], reasons)
    _resume(
        [account for account in ready if account.is_paused and _has_come(account, account.resumes_on, as_of)],
        reasons,
        today=today,
        now=now,
    )
    if len(first) < len(cuts):
        # Of an account that began anew just now nothing is cut any more.
        cuts = cuts_due(ready, as_of=as_of)
        later = [
            each for each in ready if each.id in cuts and not _is_closed_before(each, cuts[each.id].effective_from)
        ]
        waiting |= cut_periods(later, cuts, today=today, now=now)
    closing = [
        each
        for each in accounts
        if each.closes_on and each.id not in waiting and is_closed_by(each, each.closes_on, today=as_of)
    ]
    for account in closing:
        reason = reasons[account.id]["closes_on"].reason
        account.become(Account.Status.INACTIVE, reason=reason, inactive_reason=Account.InactiveReason.CLOSED.value)
    end_billing(closing, author=SYSTEM, today=today, now=now)
    changed = [account for account in accounts if account.changes]
    save_accounts(changed, author=SYSTEM, now=now)
    return CarriedOut(len(changed), waiting)


def _comes_first(account: LockedAccount, day: datetime.date) -> bool:
    """Whether a period is cut on this day before anything else that is pending comes. A pause on the same day is of
    what the cut leaves.
    """
    if _is_closed_before(account, day):
        return False
    if account.is_paused:
        return account.resumes_on is None or day < account.resumes_on
    return account.pauses_on is None or day <= account.pauses_on


def _is_closed_before(account: LockedAccount, day: datetime.date) -> bool:
    return account.closes_on is not None and account.closes_on < day


def _has_come(account: LockedAccount, day: datetime.date | None, as_of: datetime.date) -> bool:
    """Whether the day has come, and the account isn't closed by then."""
    return day is not None and day <= as_of and (account.closes_on is None or day < account.closes_on)


def _pause(accounts: Collection[LockedAccount], reasons: Reasons) -> None:
    paused = []
    for account in accounts:
        if account.is_inactive:
            why = f"the account was INACTIVE ({account.inactive_reason}) when its pause was to begin"
            account.plan(reason=why, pauses_on=None, resumes_on=None)
        elif account.pauses_on and account.rebilling_date >= account.pauses_on:
            begin_pause(account, reason=reasons[account.id]["pauses_on"].reason)
            paused.append(account)
    skip_waiting(paused)


def _resume(
    accounts: Collection[LockedAccount], reasons: Reasons, *, today: datetime.date, now: datetime.datetime
) -> None:
    """Together those that resume on one day and for one reason."""
    together: dict[tuple[datetime.date, str], list[LockedAccount]] = defaultdict(list)
    for account in accounts:
        pending = reasons[account.id]["resumes_on"]
        together[pending.on, pending.reason].append(account)
    for (day, reason), resumed in together.items():
        bill_again(resumed, since=day, reason=reason, author=SYSTEM, today=today, now=now)
