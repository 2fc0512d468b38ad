"""An account is closed, paused, resumed or given its running period back while a sweep, its message or another request
is at work: a day is billed once or not at all, and one of two requests sees the other.
"""

import datetime
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from accounts.errors import Conflict
from accounts.models import Account
from invoices.models import Invoice
from payments.models import Refund
from rebilling.books import discrepancies
from rebilling.models import Rebilling, Run
from subscriptions.daily_run import run_day
from subscriptions.due_changes import apply_due_changes
from subscriptions.lifecycle import CancellationPending, close_account
from subscriptions.pauses import PausePending, pause_account, resume_account
from subscriptions.pending_changes import take_back
from tests.builders import QueueInHand, a_plan, an_account, at, billed, delivered, statuses_of, swept
from tests.support.databases import committed
from tests.support.owing import rows
from tests.support.sweep_races import changed_after_the_scan
from tests.support.workers.threads import all_meet_before, threads, wait_until_blocked

DAY = datetime.date(2026, 3, 10)
NEXT = DAY + datetime.timedelta(days=7)

Change = Callable[[Account], object]


def signed(day: datetime.date = DAY) -> dict[str, Any]:
    return {"reason": "left", "author": "ann", "today": day, "now": at(day)}


def close_today(account: Account) -> object:
    return close_account(account_id=account.id, at=DAY, **signed()).account


def pause_now(account: Account) -> object:
    return pause_account(account_id=account.id, at="now", **signed())


def close_at_the_end(account: Account) -> object:
    return close_account(account_id=account.id, at="period_end", **signed()).account


def pause_at_the_end(account: Account) -> object:
    return pause_account(account_id=account.id, **signed())


STOP_TODAY: list[Change] = [close_today, pause_now]
STOP_LATER: list[Change] = [close_at_the_end, pause_at_the_end]


@pytest.fixture
def account() -> Account:
    """1,000 cents a week, the first due today."""
    return an_account(plan=a_plan(interval_unit="week", unit_amount_minor=1000), today=DAY)


def sweep_against(change: Callable[[], object], *, day: datetime.date, queue: QueueInHand) -> Run:
    return changed_after_the_scan(change, sweep=lambda: run_day(as_of=day, queue=queue, now=at(day)))


def deliver_behind(change: Callable[[], object]) -> None:
    """The change holds the account's lock, and isn't committed, when the worker comes to it."""
    queue = QueueInHand()
    swept(as_of=DAY, queue=queue)
    with threads() as start:
        with transaction.atomic():
            change()
            delivering = start(partial(delivered, bodies=queue.take(), today=DAY))
            wait_until_blocked()
        assert delivering.result() == []


@committed
class TestASweepThatRacesAChange:
    @pytest.mark.parametrize("change", STOP_TODAY)
    def test_bills_nothing_from_the_day_on(self, account: Account, change: Change) -> None:
        queue = QueueInHand()
        run = sweep_against(partial(change, account), day=DAY, queue=queue)
        assert (statuses_of(account), run.rebillings.count(), queue.bodies) == ([], 0, [])

    @pytest.mark.parametrize("change", STOP_LATER)
    def test_bills_what_starts_before(self, account: Account, change: Change) -> None:
        queue = QueueInHand()
        sweep_against(partial(change, account), day=DAY, queue=queue)
        assert delivered(bodies=queue.take(), today=DAY) == []
        billed(as_of=NEXT)
        assert statuses_of(account) == [(DAY, "CHARGED")]
        account.refresh_from_db()
        assert (account.status, account.closes_on, account.pauses_on) == ("INACTIVE", None, None)

    def test_resuming_bills_the_new_period_once(self, account: Account) -> None:
        pause_now(account)
        queue = QueueInHand()
        other = an_account(plan=a_plan(interval_unit="week"), today=NEXT)
        sweep_against(partial(resume_account, account_id=account.id, **signed(NEXT)), day=NEXT, queue=queue)
        while bodies := queue.take():
            assert delivered(bodies=bodies, today=NEXT, queue=queue) == []
        billed(as_of=NEXT)
        assert (statuses_of(account), len(rows(account))) == ([(NEXT, "CHARGED")], 1)
        assert statuses_of(other) == [(NEXT, "CHARGED")]


@committed
class TestAWorkerThatRacesAChange:
    """The change holds the account's lock, and isn't committed, when the worker comes to it; or the other way round."""

    @pytest.mark.parametrize("change", STOP_TODAY)
    def test_charges_nothing_that_was_stopped_before(self, account: Account, change: Change) -> None:
        deliver_behind(partial(change, account))
        assert (statuses_of(account), Invoice.objects.count()) == ([(DAY, "SKIPPED")], 0)

    @pytest.mark.parametrize("change", STOP_LATER)
    def test_charges_what_starts_before(self, account: Account, change: Change) -> None:
        deliver_behind(partial(change, account))
        assert (statuses_of(account), rows(account)) == ([(DAY, "CHARGED")], [("PAID", 0, 1000)])

    @pytest.mark.parametrize("field", ["closes_on", "pauses_on"])
    def test_skips_a_period_from_the_day_on_whatever_left_it_due(self, account: Account, field: str) -> None:
        queue = QueueInHand()
        swept(as_of=DAY, queue=queue)
        Account.objects.filter(id=account.id).update(**{field: DAY})
        assert delivered(bodies=queue.take(), today=DAY) == []
        assert list(Rebilling.objects.values_list("status", "reason")) == [("SKIPPED", "account_inactive")]


def one_of_two(first: Callable[[], object], second: Callable[[], object], *, at_once: str) -> list[Conflict]:
    """Both at once, from where they lock. Returns the errors of those that were refused."""

    def tried(change: Callable[[], object]) -> Conflict | None:
        try:
            change()
        except Conflict as refusal:
            return refusal
        return None

    with threads() as start, all_meet_before(at_once, parties=2):
        both = [start(partial(tried, change)) for change in (first, second)]
        return [refusal for each in both if (refusal := each.result())]


@committed
class TestTwoRequestsAtOnce:
    def test_to_close_it_on_two_days_keep_one_of_them(self, account: Account) -> None:
        days = (DAY + datetime.timedelta(days=1), NEXT)
        closing = [partial(close_account, account_id=account.id, at=day, **signed()) for day in days]
        (refusal,) = one_of_two(*closing, at_once="subscriptions.lifecycle.lock_account")
        assert isinstance(refusal, CancellationPending)
        account.refresh_from_db()
        assert account.closes_on in days
        # The second saw the first.
        assert str(account.closes_on) in refusal.detail

    def test_to_pause_it_pause_it_once(self, account: Account) -> None:
        pausing = partial(pause_at_the_end, account)
        (refusal,) = one_of_two(pausing, pausing, at_once="subscriptions.pauses.lock_account")
        assert isinstance(refusal, PausePending)
        assert account.changes.count() == 2

    def test_to_resume_it_begin_one_period(self, account: Account) -> None:
        pause_now(account)
        resuming = partial(resume_account, account_id=account.id, **signed(NEXT))
        assert len(one_of_two(resuming, resuming, at_once="subscriptions.pauses.lock_account")) == 1
        assert account.terms.count() == 2
        billed(as_of=NEXT)
        assert statuses_of(account) == [(NEXT, "CHARGED")]

    def test_to_close_it_with_a_refund_refund_it_once(self, account: Account) -> None:
        billed(as_of=DAY)
        closing = partial(close_account, account_id=account.id, refund="full", **signed())
        assert len(one_of_two(closing, closing, at_once="subscriptions.lifecycle.lock_account")) == 1
        assert list(Refund.objects.values_list("amount_minor", "status")) == [(1000, "SUBMITTED")]
        assert discrepancies() == []


@committed
class TestTwoRunsAtOnce:
    def test_carry_a_change_out_once(self, account: Account) -> None:
        billed(as_of=DAY)
        pause_account(account_id=account.id, until=NEXT + datetime.timedelta(days=3), **signed())
        last = NEXT + datetime.timedelta(days=3)
        carry_out = partial(apply_due_changes, as_of=last, today=last, now=at(last))
        with threads() as start, all_meet_before("subscriptions.due_changes.lock_accounts", parties=2):
            both = [start(carry_out) for _ in range(2)]
            assert sorted(each.result() for each in both) == [0, 1]
        billed(as_of=last)
        assert statuses_of(account) == [(DAY, "CHARGED"), (last, "CHARGED")]

    def test_do_not_carry_out_what_is_taken_back_meanwhile(self, account: Account) -> None:
        billed(as_of=DAY)
        close_at_the_end(account)
        with threads() as start:
            with transaction.atomic():
                take_back(account_id=account.id, change="cancellation", **signed(NEXT))
                running = start(partial(apply_due_changes, as_of=NEXT, today=NEXT, now=at(NEXT)))
                wait_until_blocked()
            assert running.result() == 0
        billed(as_of=NEXT)
        assert statuses_of(account) == [(DAY, "CHARGED"), (NEXT, "CHARGED")]
