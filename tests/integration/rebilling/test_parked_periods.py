"""What people do about parked periods, beside what `test_reconciliation.py` has: no day to come, and a whole run's."""

import datetime
import uuid
from collections import Counter
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import TestCase

from accounts.models import Account
from accounts.reasons import InvalidReason
from ledger.models import Entry
from rebilling.models import Rebilling, Run
from rebilling.parked_periods import NotBegun, NothingParked, NotItsTurn, cancel_parked, release_parked, skip_parked
from rebilling.reconciliation.reconcile import reconcile
from rebilling.reconciliation.summary import reconciliation_of
from rebilling.run_review import UnknownRun, release_run
from tests.builders import (
    TODAY,
    QueueInHand,
    a_plan,
    an_account,
    at,
    billed,
    delivered,
    sent_again,
    statuses_of,
    swept,
)
from tests.support.claims import a_claim, saved
from tests.support.databases import rolled_back

DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
NOW = at(TODAY) + HOUR
START = TODAY - 40 * DAY

pytestmark = rolled_back


def parked_accounts(count: int) -> list[Account]:
    """So many whose first of 41 daily periods is parked by the run of TODAY."""
    plan = a_plan(interval_unit="day", unit_amount_minor=1)
    return [an_account(plan=plan, anchor_date=START, rebilling_date=START) for _ in range(count)]


def state() -> list[object]:
    return [list(model.objects.order_by("pk").values()) for model in (Account, Run, Rebilling, Entry)]


def decide(operation: Any, rebilling: Rebilling, **changes: Any) -> Any:
    return operation(**{"rebilling_id": rebilling.id, "reason": "right", "author": "t", "now": NOW} | changes)


class TestARunDatedInTheFuture:
    """A sweep of 2126 parked every account: what a person does about it then never reaches past today."""

    @pytest.fixture
    def parked(self) -> Rebilling:
        """Parked by a run of a day to come, as no sweep writes one any more."""
        (account,) = parked_accounts(1)
        return self.parked_of(account, START)

    @staticmethod
    def parked_of(account: Account, start: datetime.date, reason: str = "too_many_periods") -> Rebilling:
        run = Run.objects.create(as_of=TODAY + 36525 * DAY, status="OPEN", started_at=NOW, passed_at=NOW)
        return saved(a_claim(account, start, run=run, status="PARKED", reason=reason))

    def test_released_makes_nothing_due_that_starts_after_today(self, parked: Rebilling) -> None:
        decide(release_parked, parked)
        found = list(Rebilling.objects.order_by("period_start").values_list("period_start", "status"))
        assert found == [(START + number * DAY, "DUE") for number in range(36)] + [(START + 36 * DAY, "PARKED")]
        decide(release_parked, Rebilling.objects.get(status="PARKED"))
        assert Rebilling.objects.latest("period_start").period_start == TODAY

    def test_skipped_makes_nothing_due_that_starts_after_today(self) -> None:
        account = an_account(plan=a_plan(interval_unit="day"), anchor_date=TODAY - DAY, rebilling_date=TODAY - DAY)
        decide(skip_parked, self.parked_of(account, TODAY - DAY))
        change = account.changes.latest("id")
        assert (change.before, change.after) == (
            {"rebilling_date": (TODAY - DAY).isoformat()},
            {"rebilling_date": TODAY.isoformat()},
        )
        assert statuses_of(account) == [(TODAY - DAY, "SKIPPED"), (TODAY, "DUE")]

    @pytest.mark.parametrize("days", [1, 400])
    def test_one_that_has_not_begun_is_not_released(self, days: int) -> None:
        day = TODAY + days * DAY
        parked = self.parked_of(an_account(), day)
        before = state()
        with pytest.raises(NotBegun, match=f"starts on {day}: release it from then on, or skip it"):
            decide(release_parked, parked)
        assert state() == before

    def test_one_behind_it_that_has_not_begun_stays_parked(self) -> None:
        (account,) = parked_accounts(1)
        parked = self.parked_of(account, START, reason="charge_refused")
        for day in (START + DAY, TODAY + DAY):
            self.parked_of(account, day, reason="earlier_period_parked")
        decide(release_parked, parked)
        assert statuses_of(account) == [(START, "DUE"), (START + DAY, "DUE"), (TODAY + DAY, "PARKED")]


class TestCancelParked:
    """A run that passed has parked a few accounts, by a wrong date of theirs."""

    def cancelled(self, run: Run, *, run_id: uuid.UUID | None = None, reason: str = "wrong dates") -> Run:
        return cancel_parked(run_id=run_id or run.id, reason=reason, author="staff:anna", now=NOW)

    @pytest.fixture
    def run(self) -> Run:
        parked_accounts(3)
        an_account()
        run = billed(as_of=TODAY)
        assert Counter(run.rebillings.values_list("status", flat=True)) == {"PARKED": 3, "CHARGED": 1}
        reconcile(runs=[run], now=at(TODAY))
        return run

    def test_cancels_all_of_them_and_the_next_sweep_finds_what_is_due_then(self, run: Run) -> None:
        found = self.cancelled(run)
        assert (found.status, found.reconciled_at) == ("OPEN", None)
        assert Counter(run.rebillings.values_list("status", "reason")) == {
            ("SKIPPED", "run_cancelled"): 3,
            ("CHARGED", ""): 1,
        }
        assert {row.detail for row in run.rebillings.filter(status="SKIPPED")} == {"wrong dates (staff:anna)"}
        assert Entry.objects.filter(type="charge").count() == 1
        (reconciled,) = reconcile(runs=[found], now=NOW + HOUR)
        assert (reconciled.status, reconciled.skipped.reasons) == ("RECONCILED", {"run_cancelled": 3})
        Account.objects.filter(anchor_date=START).update(rebilling_date=TODAY, first_rebilling_date=TODAY)
        again = billed(as_of=TODAY)
        assert reconciliation_of(run=again, now=NOW).charged.periods == 3

    def test_skips_the_later_periods_that_wait_for_them_too(self, run: Run) -> None:
        parked = run.rebillings.filter(status="PARKED").first()
        assert parked is not None
        behind = saved(a_claim(parked.account, START + DAY, run=billed(as_of=TODAY)))
        self.cancelled(run)
        behind.refresh_from_db()
        assert (behind.status, behind.reason) == ("SKIPPED", "run_cancelled")

    def test_leaves_the_parked_periods_of_other_runs(self, run: Run) -> None:
        parked_accounts(1)
        other = billed(as_of=TODAY)
        self.cancelled(run)
        assert list(other.rebillings.values_list("status", flat=True)) == ["PARKED"]

    def test_of_a_held_run_leaves_its_other_periods_to_be_decided_about(self, run: Run) -> None:
        parked_accounts(11)
        an_account()
        held, queue = swept(as_of=TODAY, queue=QueueInHand()), QueueInHand()
        assert self.cancelled(held).status == "HELD"
        found = Counter(held.rebillings.values_list("status", "reason"))
        assert found == {("SKIPPED", "run_cancelled"): 11, ("DUE", ""): 1}
        with TestCase.captureOnCommitCallbacks(execute=True):
            release_run(run_id=held.id, reason="right", author="t", now=NOW, queue=queue)
        assert delivered(bodies=queue.take()) == []
        assert reconciliation_of(run=held, now=NOW).charged.periods == 1

    def test_refuses_an_unknown_run_one_without_parked_periods_and_no_reason(self, run: Run) -> None:
        before = state()
        with pytest.raises(UnknownRun):
            self.cancelled(run, run_id=uuid.UUID(int=0))
        for reason in ("", " ", "x" * 501):
            with pytest.raises(InvalidReason):
                self.cancelled(run, reason=reason)
        assert state() == before
        self.cancelled(run)
        before = state()
        with pytest.raises(NothingParked):
            self.cancelled(run)
        assert state() == before

    def test_by_command(self, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("cancel_run", str(run.id), "--parked", "--reason", "anna: wrong dates")
        assert "(run_cancelled 3)" in capsys.readouterr().out
        with pytest.raises(CommandError, match="The run has no parked periods"):
            call_command("cancel_run", str(run.id), "--parked", "--reason", "again")


class TestSkippedByAPerson:
    def test_is_never_charged_though_earlier_periods_were_still_due(self) -> None:
        """Of 41 daily periods a person skips the first and then, before the 36 in between are charged, the next one."""
        start = TODAY - datetime.timedelta(days=40)
        account = an_account(plan=a_plan(interval_unit="day"), today=TODAY, anchor_date=start, rebilling_date=start)
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        skipped = []
        for _ in range(2):
            parked = Rebilling.objects.get(status="PARKED")
            try:
                skip_parked(rebilling_id=parked.id, reason="not owed", author="test", now=at(TODAY))
            except NotItsTurn:
                continue
            skipped.append(parked.period_start)
        assert skipped[0] == start
        for _ in range(3):
            sent_again(queue=queue, now=at(TODAY) + datetime.timedelta(hours=1))
            assert delivered(bodies=queue.take(), today=TODAY, queue=queue) == []
            swept(as_of=TODAY, queue=queue)
        rows = Rebilling.objects.filter(account=account, period_start__in=skipped).order_by("period_start")
        assert list(rows.values_list("period_start", "status")) == [(day, "SKIPPED") for day in skipped]
        assert not Rebilling.objects.filter(reason="not_the_next_period").exists()
