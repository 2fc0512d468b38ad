"""Held runs are released or cancelled by a person, once."""

import datetime
import logging
import uuid
from collections import Counter
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import Account
from accounts.reasons import InvalidReason
from ledger.models import Entry
from payments.messages.queue import UnableToSend
from payments.models import Payment
from rebilling.models import Rebilling, Run
from rebilling.parked_periods import skip_parked
from rebilling.reconciliation.presentation import as_text
from rebilling.reconciliation.reconcile import open_runs, reconcile
from rebilling.reconciliation.summary import reconciliation_of
from rebilling.run_review import NotHeld, UnknownRun, cancel_run, release_run
from tests.builders import TODAY, QueueInHand, a_plan, an_account, at, billed, delivered, sent_again, statuses_of, swept
from tests.support.claims import a_claim, saved
from tests.support.databases import rolled_back

DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
NOW = at(TODAY) + 5 * HOUR

pytestmark = rolled_back

OnCommit = DjangoCaptureOnCommitCallbacks


@pytest.fixture
def accounts(settings: Any, db: None) -> list[Account]:
    settings.VOLUME_CHECK_FIRST_PERIODS = 3
    plan = a_plan()
    return [an_account(plan=plan) for _ in range(4)]


@pytest.fixture
def run(accounts: list[Account]) -> Run:
    """Held: 4 periods, where 3 would pass."""
    held = swept(as_of=TODAY, queue=QueueInHand())
    assert held.status == "HELD"
    return held


def state() -> list[object]:
    return [list(model.objects.order_by("pk").values()) for model in (Account, Run, Rebilling, Entry, Payment)]


class TestRelease:
    def test_sends_the_run_and_its_time_limit_starts_again(self, run: Run, on_commit: OnCommit) -> None:
        queue = QueueInHand()
        with on_commit(execute=True):
            release_run(run_id=run.id, reason="a big import", author="staff:anna", now=NOW, queue=queue)
            assert queue.bodies == []  # not before it is committed
        run.refresh_from_db()
        assert (run.status, run.passed_at, run.decided_at) == ("OPEN", NOW, NOW)
        assert run.decision == "a big import (staff:anna)"
        assert run.held_because == "4 periods are due, more than 3 (the limit without history)"
        found = reconciliation_of(run=run, now=NOW + datetime.timedelta(minutes=59))
        assert (found.waiting, found.unexplained.periods) == (4, 0)
        assert delivered(bodies=queue.take(), now=NOW) == []
        (found,) = reconcile(runs=open_runs(), now=NOW)
        assert (found.status, found.charged.periods, found.payments["succeeded"]) == ("RECONCILED", 4, 4)

    def test_is_left_to_the_hourly_reconcile_when_the_queue_refuses(
        self, run: Run, on_commit: OnCommit, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Refusing(QueueInHand):
            def send(self, messages: Any) -> int:
                raise UnableToSend("no")

        with caplog.at_level(logging.ERROR), on_commit(execute=True):
            release_run(run_id=run.id, reason="right", author="t", now=NOW, queue=Refusing())
        assert "the hourly check sends it" in caplog.text
        queue = QueueInHand()
        assert sent_again(queue=queue, now=NOW + HOUR) == 1
        assert delivered(bodies=queue.take(), now=NOW + HOUR) == []
        assert Counter(Rebilling.objects.values_list("status", flat=True)) == {"CHARGED": 4}

    def test_lets_the_accounts_catch_up(self, settings: Any, on_commit: OnCommit) -> None:
        settings.VOLUME_CHECK_FIRST_PERIODS = 1
        plan = a_plan(interval_unit="day", unit_amount_minor=100)
        accounts = [an_account(plan=plan) for _ in range(2)]
        run = swept(as_of=TODAY, queue=QueueInHand())
        between = billed(as_of=TODAY + 2 * DAY)
        queue, now = QueueInHand(), at(TODAY + 3 * DAY)
        with on_commit(execute=True):
            release_run(run_id=run.id, reason="right", author="t", now=now, queue=queue)
        assert delivered(bodies=queue.take(), today=TODAY + 3 * DAY) == []
        # Sweeps that passed over the accounts don't answer for what they couldn't find.
        assert [reconciliation_of(run=each, now=now + 2 * HOUR).clean for each in (run, between)] == [True, True]
        last = billed(as_of=TODAY + 3 * DAY)
        assert last.rebillings.count() == 6
        for account in accounts:
            assert statuses_of(account) == [(TODAY + day * DAY, "CHARGED") for day in range(4)]

    @pytest.mark.parametrize(("then", "status"), [(12, "OPEN"), (13, "HELD")])
    def test_is_history_from_then_on(self, settings: Any, run: Run, then: int, status: str) -> None:
        settings.VOLUME_CHECK_SMALL_RUN = 0
        release_run(run_id=run.id, reason="right", author="t", now=NOW, queue=QueueInHand())
        plan = a_plan()
        for _ in range(then):
            an_account(plan=plan, anchor_date=TODAY + DAY)
        assert swept(as_of=TODAY + DAY, queue=QueueInHand()).status == status


class TestCancel:
    def test_leaves_everything_to_the_next_sweep(self, settings: Any, run: Run, accounts: list[Account]) -> None:
        cancel_run(run_id=run.id, reason="wrong price", author="staff:anna", now=NOW)
        run.refresh_from_db()
        assert (run.status, run.passed_at, run.decided_at) == ("CANCELLED", None, NOW)
        assert run.decision == "wrong price (staff:anna)"
        found = reconciliation_of(run=run, now=NOW + 9 * HOUR)
        assert (found.due.periods, found.skipped.reasons, found.clean) == (4, {"run_cancelled": 4}, True)
        assert "Cancelled: nothing of it is charged" in as_text(found)
        assert {row.detail for row in run.rebillings.all()} == {"wrong price (staff:anna)"}
        assert set(Account.objects.values_list("rebilling_date", flat=True)) == {TODAY}
        assert (Entry.objects.count(), Payment.objects.count(), open_runs()) == (0, 0, [])

        settings.VOLUME_CHECK_FIRST_PERIODS = 4
        again = billed(as_of=TODAY)
        assert reconciliation_of(run=again, now=NOW).charged.periods == 4
        for account in accounts:
            assert sorted(statuses_of(account)) == [(TODAY, "CHARGED"), (TODAY, "SKIPPED")]
        assert Entry.objects.filter(type="charge").count() == 4

    def test_of_periods_parked_by_wrong_dates_leaves_what_is_really_due(self, settings: Any) -> None:
        """The daily accounts came with a rebilling date of long ago, and are PARKED for having too many periods."""
        settings.VOLUME_CHECK_FIRST_PERIODS = 0
        plan, start = a_plan(interval_unit="day"), TODAY - 40 * DAY
        accounts = [an_account(plan=plan, anchor_date=start, rebilling_date=start) for _ in range(11)]
        run = swept(as_of=TODAY, queue=QueueInHand())
        assert (run.status, Counter(run.rebillings.values_list("status", flat=True))) == ("HELD", {"PARKED": 11})
        cancel_run(run_id=run.id, reason="wrong dates", author="t", now=NOW)
        Account.objects.update(rebilling_date=TODAY, first_rebilling_date=TODAY)
        again = billed(as_of=TODAY)
        assert reconciliation_of(run=again, now=NOW).charged.periods == 11
        for account in accounts:
            assert statuses_of(account) == [(start, "SKIPPED"), (TODAY, "CHARGED")]

    def test_skips_the_later_periods_that_a_parallel_sweep_wrote_too(
        self, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Left alone it would be parked for not being next, and keep what is before it from being found again."""
        settings.VOLUME_CHECK_FIRST_PERIODS = 1
        plan = a_plan(interval_unit="day")
        accounts = [an_account(plan=plan) for _ in range(2)]
        run, queue = swept(as_of=TODAY, queue=QueueInHand()), QueueInHand()
        settings.VOLUME_CHECK_FIRST_PERIODS = 4
        with monkeypatch.context() as before_it_was_held:
            before_it_was_held.setattr(
                "rebilling.sweep._accounts_due", lambda as_of: iter([[account.id for account in accounts]])
            )
            beside = swept(as_of=TODAY + DAY, queue=queue)
        cancel_run(run_id=run.id, reason="wrong price", author="t", now=at(TODAY + DAY) + HOUR)
        assert {row.reason for row in beside.rebillings.all()} == {"run_cancelled"}
        assert delivered(bodies=queue.take(), today=TODAY + DAY) == []
        assert reconciliation_of(run=beside, now=at(TODAY + DAY)).clean
        again = billed(as_of=TODAY + DAY)
        assert reconciliation_of(run=again, now=at(TODAY + DAY)).charged.periods == 4
        assert not Rebilling.objects.filter(status__in=["DUE", "PARKED"]).exists()

    def test_leaves_what_is_before_it_and_not_its_own(self, run: Run, accounts: list[Account]) -> None:
        older = swept(as_of=TODAY - DAY, queue=QueueInHand())
        earlier = Rebilling.objects.filter(id=saved(a_claim(accounts[0], TODAY - DAY, run=older)).id)
        cancel_run(run_id=run.id, reason="wrong", author="t", now=NOW)
        assert [row.status for row in earlier] == ["DUE"]
        assert Counter(Rebilling.objects.values_list("status", flat=True)) == {"DUE": 1, "SKIPPED": 4}

    def test_leaves_what_a_person_skipped_of_it(self, settings: Any) -> None:
        settings.VOLUME_CHECK_FIRST_PERIODS = 1
        start = TODAY - 40 * DAY
        account = an_account(plan=a_plan(interval_unit="day"), anchor_date=start, rebilling_date=start)
        for _ in range(2):
            an_account()
        run = swept(as_of=TODAY, queue=QueueInHand())
        parked = Rebilling.objects.get(account=account)
        skip_parked(rebilling_id=parked.id, reason="a gift", author="t", now=NOW)
        cancel_run(run_id=run.id, reason="mistyped", author="t", now=NOW)
        parked.refresh_from_db()
        assert (run.status, parked.reason) == ("HELD", "skipped_by_person")

    def test_does_not_hide_a_period_that_no_sweep_finds_after_it(self, run: Run, accounts: list[Account]) -> None:
        """A cancelled row stands for nothing: should a date be moved past its period, the next run says so."""
        cancel_run(run_id=run.id, reason="wrong", author="t", now=NOW)
        Account.objects.filter(id=accounts[0].id).update(rebilling_date=datetime.date(2026, 2, 1))
        later = billed(as_of=TODAY + DAY)
        (found,) = reconcile(runs=[later], now=at(TODAY + DAY))
        assert (found.charged.periods, found.unexplained.periods) == (3, 1)

    def test_is_no_fault_of_the_runs_before_the_next_sweep(self, run: Run) -> None:
        between = swept(as_of=TODAY, queue=QueueInHand())
        cancel_run(run_id=run.id, reason="wrong", author="t", now=NOW)
        assert reconciliation_of(run=between, now=NOW).clean


class TestRefused:
    @pytest.mark.parametrize("first", ["release", "cancel"])
    def test_a_run_is_decided_about_once(self, run: Run, first: str) -> None:
        if first == "release":
            release_run(run_id=run.id, reason="right", author="t", now=NOW, queue=QueueInHand())
        else:
            cancel_run(run_id=run.id, reason="wrong", author="t", now=NOW)
        before, queue = state(), QueueInHand()
        with pytest.raises(NotHeld):
            release_run(run_id=run.id, reason="again", author="t", now=NOW + HOUR, queue=queue)
        with pytest.raises(NotHeld):
            cancel_run(run_id=run.id, reason="again", author="t", now=NOW + HOUR)
        assert (state(), queue.bodies) == (before, [])

    def test_a_reconciled_run_is_not_cancelled(self) -> None:
        an_account()
        run = billed(as_of=TODAY)
        reconcile(runs=[run], now=NOW)
        before = state()
        with pytest.raises(NotHeld, match="RECONCILED, not HELD"):
            cancel_run(run_id=run.id, reason="late", author="t", now=NOW)
        assert state() == before

    def test_needs_a_reason_and_a_run(self, run: Run) -> None:
        before = state()
        for reason in ("", "  ", "x" * 501):
            with pytest.raises(InvalidReason):
                release_run(run_id=run.id, reason=reason, author="t", now=NOW, queue=QueueInHand())
            with pytest.raises(InvalidReason):
                cancel_run(run_id=run.id, reason=reason, author="t", now=NOW)
        with pytest.raises(UnknownRun):
            release_run(run_id=uuid.UUID(int=0), reason="r", author="t", now=NOW, queue=QueueInHand())
        assert state() == before


class TestCommands:
    def test_release_run_sends_it_and_prints_the_reconciliation(
        self, run: Run, on_commit: OnCommit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        queue = QueueInHand()
        monkeypatch.setattr("rebilling.management.commands.release_run.configured_queue", lambda: queue)
        with on_commit(execute=True):
            call_command("release_run", str(run.id), "--reason", "anna: a big import")
        assert f"Run {run.id} as of 2026-01-01, OPEN" in (out := capsys.readouterr().out)
        assert "In progress: 4 periods still to be charged." in out
        assert len(queue.messages[0].periods) == 4
        assert Run.objects.get().decision == "anna: a big import (command:release_run)"
        with pytest.raises(CommandError, match="The run is OPEN, not HELD"):
            call_command("release_run", str(run.id), "--reason", "again")

    def test_cancel_run_prints_the_reconciliation(self, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("cancel_run", str(run.id), "--reason", "anna: wrong day")
        assert f"Run {run.id} as of 2026-01-01, CANCELLED" in (out := capsys.readouterr().out)
        assert "(run_cancelled 4)" in out
        with pytest.raises(CommandError, match="The run is CANCELLED, not HELD"):
            call_command("cancel_run", str(run.id), "--reason", "again")

    def test_need_an_existing_run_a_reason_and_to_release_a_queue(self, run: Run, settings: Any) -> None:
        before = state()
        settings.REBILLING_QUEUE_URL = ""
        with pytest.raises(CommandError, match="runlocal"):
            call_command("release_run", str(run.id), "--reason", "right")
        with pytest.raises(CommandError, match="There is no run"):
            call_command("cancel_run", str(uuid.UUID(int=0)), "--reason", "right")
        with pytest.raises(CommandError, match="A reason is needed"):
            call_command("cancel_run", str(run.id), "--reason", " ")
        with pytest.raises(CommandError, match="--reason"):
            call_command("cancel_run", str(run.id))
        assert state() == before


@pytest.fixture
def on_commit(django_capture_on_commit_callbacks: OnCommit) -> OnCommit:
    return django_capture_on_commit_callbacks
