"""Runs whose sweep was cut off or is still running: when they go through the volume check."""

import datetime
from collections.abc import Iterator
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.db import connections

from payments.gateways.port import Declined
from rebilling.hourly_check import check_hourly
from rebilling.models import Run
from rebilling.reconciliation.reconcile import reconcile
from rebilling.reconciliation.summary import reconciliation_of
from rebilling.run_review import StillSweeping, cancel_run, release_run
from rebilling.sweep import sweep
from rebilling.volume_check import cut_off_runs
from tests.builders import (
    TODAY,
    QueueInHand,
    ScriptedGateway,
    at,
    billed,
    due,
    sent_again,
    swept,
)
from tests.support.claims import a_claim, saved
from tests.support.databases import rolled_back

DAY = datetime.timedelta(days=1)
NEXT = TODAY + DAY
MINUTES = datetime.timedelta(minutes=1)

pytestmark = rolled_back


@pytest.fixture(autouse=True)
def _no_run_is_small(settings: Any) -> None:
    settings.VOLUME_CHECK_SMALL_RUN = 0


class TestASweepThatWasCutOff:
    """Its rows are written, but haven't been through the volume check."""

    def _cut_off(self, count: int, *, on: datetime.date) -> Run:
        due(count, on=on)
        with (
            mock.patch("rebilling.sweep.pass_or_hold", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            swept(as_of=on, queue=QueueInHand())
        return Run.objects.latest("id")

    def test_is_checked_with_the_next_one(self) -> None:
        due(1, on=TODAY)
        billed(as_of=TODAY)
        first = self._cut_off(2, on=NEXT)
        due(2, on=NEXT)
        queue = QueueInHand()
        run = swept(as_of=NEXT, queue=queue)
        assert (run.status, queue.bodies) == ("HELD", [])
        assert run.held_because.startswith("4 periods are due, more than 3")
        assert run.held_because.endswith("; counted together with 1 sweep cut off before the volume check")
        # Held together: else the hourly check would check the rest by itself, and let it through.
        first.refresh_from_db()
        assert (first.status, first.passed_at, first.held_because) == ("HELD", None, run.held_because)
        assert sent_again(queue=queue, now=at(NEXT) + 60 * 24 * MINUTES) == 0
        assert queue.bodies == []

    def test_passes_with_the_next_one(self) -> None:
        due(1, on=TODAY)
        billed(as_of=TODAY)
        first = self._cut_off(2, on=NEXT)
        due(1, on=NEXT)
        run = billed(as_of=NEXT)
        assert reconciliation_of(run=first, now=at(NEXT)).charged.periods == 2
        assert reconciliation_of(run=run, now=at(NEXT)).charged.periods == 1

    @pytest.mark.parametrize(("count", "status", "sent"), [(3, "OPEN", 1), (4, "HELD", 0)])
    def test_is_checked_by_the_hourly_check_when_no_sweep_follows(self, count: int, status: str, sent: int) -> None:
        due(1, on=TODAY)
        billed(as_of=TODAY)
        first = self._cut_off(count, on=NEXT)
        queue = QueueInHand()
        assert sent_again(queue=queue, now=at(NEXT) + 20 * MINUTES) == sent
        first.refresh_from_db()
        assert (first.status, sum(len(message.periods) for message in queue.messages)) == (status, count * sent)

    def test_of_another_day_is_checked_by_the_latest_of_their_days(self, settings: Any) -> None:
        """Steps of dunning are due by a day: of the day before, they would go out with the later run unchecked."""
        for day in (TODAY, NEXT):
            due(1, on=day, unit="year")
        settings.DUNNING_DAYS = [2]
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="no")))
        for day in (NEXT, NEXT + DAY):
            self._cut_off(3, on=day)
        queue = QueueInHand()
        assert sent_again(queue=queue, now=at(NEXT + DAY) + 60 * MINUTES) == 0
        for run in Run.objects.exclude(as_of=TODAY):
            assert run.status == "HELD"
            assert run.held_because.startswith("8 periods are due (1 of them steps of dunning), more than")

    def test_does_not_pass_with_a_sweep_of_a_year_ago(self) -> None:
        """Measured by the runs of today, and not by a time that has none."""
        due(1, on=TODAY)
        billed(as_of=TODAY)
        self._cut_off(4, on=NEXT)
        run = sweep(as_of=NEXT - 365 * DAY, queue=(queue := QueueInHand()), now=at(NEXT))
        assert (run.status, queue.bodies) == ("HELD", [])
        assert run.held_because.startswith("4 periods are due, more than 3")

    def test_is_found_by_two_callers_at_once(self) -> None:
        """Neither takes the other for the sweep."""
        run = self._cut_off(1, on=NEXT)
        looking = connections["default"].copy("default")
        with looking.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT pg_try_advisory_xact_lock_shared(hashtextextended(%s, 0))", [f"sweep:{run.id}"])
            assert [found.id for found in cut_off_runs()] == [run.id]
        looking.close()

    def test_that_found_nothing_stops_no_hourly_check(self) -> None:
        """It is passed, and then reconciled; before it is, it isn't reconciled, which the database refuses."""
        run = self._cut_off(0, on=NEXT)
        (found,) = reconcile(runs=[run], now=at(NEXT) + 120 * MINUTES)
        assert (found.status, found.clean) == ("OPEN", True)
        check = check_hourly(queue=QueueInHand(), now=at(NEXT) + 120 * MINUTES)
        assert (check.failed, [found.status for found in check.reconciliations]) == ([], ["RECONCILED"])


class TestARunningSweep:
    """Another session holds its lock: what it has found so far is no measure."""

    @pytest.fixture
    def at_work(self) -> Iterator[Run]:
        due(1, on=TODAY)
        billed(as_of=TODAY)
        run = Run.objects.create(as_of=NEXT, status="OPEN", started_at=at(NEXT))
        for account in due(4, on=NEXT):
            saved(a_claim(account, NEXT, run=run, due_since=at(NEXT)))
        # A session of its own. Its lock needs no row.
        with connections["default"].copy("default").cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"sweep:{run.id}"])
            yield run
            cursor.db.close()

    def test_is_neither_checked_nor_passed_by_another_sweep(self, at_work: Run) -> None:
        (other,), queue = due(1, on=NEXT + DAY), QueueInHand()
        run = swept(as_of=NEXT + DAY, queue=queue)
        assert (run.status, run.passed_at) == ("OPEN", at(NEXT + DAY))
        at_work.refresh_from_db()
        assert (at_work.status, at_work.passed_at) == ("OPEN", None)
        assert [item.account_id for message in queue.messages for item in message.periods] == [other.id]
        assert at_work.rebillings.filter(status="DUE").count() == 4

    def test_is_left_alone_by_the_hourly_check_however_long_it_takes(self, at_work: Run) -> None:
        queue = QueueInHand()
        assert sent_again(queue=queue, now=at(NEXT) + 60 * 24 * MINUTES) == 0
        at_work.refresh_from_db()
        assert (at_work.status, at_work.passed_at, queue.bodies) == ("OPEN", None, [])

    def test_is_in_progress_however_long_it_takes(self, at_work: Run) -> None:
        found = reconciliation_of(run=at_work, now=at(NEXT) + 60 * 24 * MINUTES)
        assert (found.sweeping, found.due.periods, found.unexplained.periods) == (True, 4, 0)

    def test_is_not_decided_about(self, at_work: Run) -> None:
        Run.objects.filter(id=at_work.id).update(status="HELD")
        for decide in (cancel_run, partial(release_run, queue=QueueInHand())):
            with pytest.raises(StillSweeping):
                decide(run_id=at_work.id, reason="wrong", author="t", now=at(NEXT) + 60 * 24 * MINUTES)
        assert Run.objects.get(id=at_work.id).status == "HELD"
        assert at_work.rebillings.filter(status="DUE").count() == 4
