"""Two sweeps at once, each on a connection of its own. They meet after both have found the same accounts due."""

import contextlib
import datetime
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest import mock

import pytest

from ledger.models import Entry
from rebilling.hourly_check import check_hourly
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.summary import reconciliation_of
from rebilling.sweep import sweep
from subscriptions.lifecycle import close_account
from tests.builders import QueueInHand, a_plan, an_account, at, delivered, statuses_of, swept
from tests.support.databases import committed
from tests.support.sweep_races import changed_after_the_scan
from tests.support.workers.threads import Gate, all_meet_before, threads, wrapped

DAY = datetime.date(2026, 3, 10)
TOO_MANY = DAY - datetime.timedelta(days=40)


def both_swept(*, first: datetime.date = DAY, second: datetime.date = DAY) -> tuple[list[Run], QueueInHand]:
    """Two sweeps that have both scanned the accounts before either writes about one. The second's day has come."""
    queue = QueueInHand()
    with all_meet_before("rebilling.sweep.lock_accounts", parties=2), threads() as start:
        racing = [start(partial(sweep, as_of=day, queue=queue, now=at(second))) for day in (first, second)]
    return [run.result() for run in racing], queue


def due_of(runs: list[Run]) -> list[int]:
    return [reconciliation_of(run=run, now=at(DAY)).due.periods for run in runs]


@committed
class TestTwoSweepsRace:
    def test_each_period_has_one_row_and_is_charged_once(self) -> None:
        plan = a_plan(interval_unit="week")
        for _ in range(25):
            an_account(plan=plan, today=DAY)
        with mock.patch("rebilling.sweep.BATCH_ACCOUNTS", 10):
            runs, queue = both_swept()
        assert Rebilling.objects.count() == 25
        assert sum(due_of(runs)) == 25
        # Either sent what was DUE when it was done: the later one all of it.
        assert len({key for message in queue.messages for key in message.periods}) == 25
        assert delivered(bodies=queue.take(), today=DAY) == []
        assert Counter(Entry.objects.values_list("type", flat=True)) == {"charge": 25, "payment": 25}
        found = [reconciliation_of(run=run, now=at(DAY)) for run in runs]
        assert sum(run.charged.periods for run in found) == 25
        assert sum(run.charged.amount_minor.get("USD", 0) for run in found) == 25 * 1999
        assert sum(run.payments["succeeded"] for run in found) == 25
        assert all(run.clean for run in found)

    def test_of_different_days_share_what_an_account_missed(self) -> None:
        account = an_account(plan=a_plan(interval_unit="day"), today=DAY, rebilling_date=DAY, anchor_date=DAY)
        later = DAY + datetime.timedelta(days=3)
        runs, queue = both_swept(first=DAY, second=later)
        days = [DAY + datetime.timedelta(days=day) for day in range(4)]
        assert statuses_of(account) == [(day, "DUE") for day in days]
        assert sum(due_of(runs)) == 4
        assert delivered(bodies=queue.take(), today=later) == []
        # Where the later days came before the first, whose turn it was, the hourly check sends them again.
        an_hour_later = at(later) + datetime.timedelta(hours=1)
        check_hourly(queue=queue, now=an_hour_later)
        assert delivered(bodies=queue.take(), now=an_hour_later) == []
        assert statuses_of(account) == [(day, "CHARGED") for day in days]
        # One invoice or two, as the first sweep has sent its day by itself or not.
        paid = sum(Entry.objects.filter(type="payment").values_list("amount_minor", flat=True))
        assert (Entry.objects.filter(type="charge").count(), paid) == (4, 4 * 1999)
        assert all(reconciliation_of(run=run, now=at(later)).clean for run in runs)
        account.refresh_from_db()
        assert account.rebilling_date == later + datetime.timedelta(days=1)

    def test_park_an_account_with_too_many_periods_once(self) -> None:
        account = an_account(plan=a_plan(interval_unit="day"), today=DAY, anchor_date=TOO_MANY, rebilling_date=TOO_MANY)
        runs, queue = both_swept()
        assert statuses_of(account) == [(TOO_MANY, "PARKED")]
        found = [reconciliation_of(run=run, now=at(DAY)) for run in runs]
        assert sorted(run.parked.reasons.get("too_many_periods", 0) for run in found) == [0, 1]
        assert all(run.clean for run in found)
        assert queue.bodies == []


@committed
class TestASweepThatIsStillWriting:
    """A sweep by mistake, of many accounts, while the day's own runs: nothing of it is sent that wasn't checked."""

    @pytest.fixture(autouse=True)
    def _forty_are_due_in_four_batches(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        settings.VOLUME_CHECK_FIRST_PERIODS = 30
        monkeypatch.setattr("rebilling.sweep.BATCH_ACCOUNTS", 10)
        plan = a_plan(interval_unit="week")
        for _ in range(40):
            an_account(plan=plan, today=DAY)

    def test_is_not_passed_by_the_days_sweep_and_the_rest_of_it_is_checked(self) -> None:
        with self.stopped_before_its_second_batch() as (gate, queue):
            day = swept(as_of=DAY, queue=queue)
            # Thirty are within the limit; the ten of the other are nobody's yet.
            mistaken = Run.objects.get(passed_at=None)
            assert (day.rebillings.count(), mistaken.rebillings.count()) == (30, 10)
            assert len({key for message in queue.messages for key in message.periods}) == 30
            assert check_hourly(queue=QueueInHand(), now=at(DAY) + datetime.timedelta(days=1)).failed == []
            mistaken.refresh_from_db()
            assert (mistaken.status, mistaken.passed_at) == ("OPEN", None)
            gate.open()
        late = at(DAY) + datetime.timedelta(hours=3)
        queue.take()
        check_hourly(queue=queue, now=late)
        mistaken.refresh_from_db()
        # Stopped for good by now: it is checked by itself, against the thirty.
        assert mistaken.passed_at == late

    def test_stopped_by_hand_is_held_with_what_the_next_one_finds(self) -> None:
        with self.stopped_before_its_second_batch() as (gate, queue):
            gate.open()
        run = swept(as_of=DAY, queue=queue)
        assert (run.status, run.rebillings.count(), queue.bodies) == ("HELD", 30, [])
        assert run.held_because.startswith("40 periods are due, more than 30")
        check = check_hourly(queue=queue, now=at(DAY) + datetime.timedelta(hours=3))
        assert (check.failed, queue.bodies) == ([], [])

    @contextlib.contextmanager
    def stopped_before_its_second_batch(self) -> Iterator[tuple[Gate, QueueInHand]]:
        """A sweep in a thread of its own has written ten rows, and is stopped by hand when the gate is opened."""
        gate, queue, locks = Gate(), QueueInHand(), itertools.count(1)

        def stop(lock: Callable[..., object], ids: list[object]) -> object:
            if threading.current_thread() is not threading.main_thread() and next(locks) == 2:
                gate.pass_through()
                raise KeyboardInterrupt
            return lock(ids)

        with threads() as start, wrapped("rebilling.sweep.lock_accounts", stop):
            stopped = start(partial(self.swept_or_stopped, queue))
            gate.wait_for_somebody()
            yield gate, queue
            stopped.result()

    @staticmethod
    def swept_or_stopped(queue: QueueInHand) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            sweep(as_of=DAY, queue=queue, now=at(DAY))


@committed
class TestASweepThatRacesAChange:
    """The accounts change after the sweep found them due and before it locks them."""

    @staticmethod
    def sweep_against(change: Callable[[], object], *, queue: QueueInHand) -> Run:
        return changed_after_the_scan(change, sweep=lambda: sweep(as_of=DAY, queue=queue, now=at(DAY)))

    def test_does_not_write_again_what_was_charged_meanwhile(self) -> None:
        account = an_account(plan=a_plan(interval_unit="week"), today=DAY)
        queue = QueueInHand()
        first = swept(as_of=DAY, queue=queue)
        batch = queue.take()
        second = self.sweep_against(lambda: delivered(bodies=batch, today=DAY), queue=queue)
        assert statuses_of(account) == [(DAY, "CHARGED")]
        assert due_of([first, second]) == [1, 0]
        assert queue.bodies == []
        assert Counter(Entry.objects.values_list("type", flat=True)) == {"charge": 1, "payment": 1}

    def test_writes_nothing_for_one_that_was_closed_meanwhile(self) -> None:
        account = an_account(plan=a_plan(interval_unit="week"), today=DAY)
        queue = QueueInHand()
        run = self.sweep_against(
            lambda: close_account(account_id=account.id, reason="left", author="ann", today=DAY, now=at(DAY)),
            queue=queue,
        )
        assert statuses_of(account) == []
        assert due_of([run]) == [0]
        assert queue.bodies == []
