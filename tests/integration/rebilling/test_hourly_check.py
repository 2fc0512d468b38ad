"""The hourly check: each of its steps is taken whatever becomes of the others, and what fails is an alarm."""

import datetime
import logging
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Account
from billing_site.lambda_function.entry import handler
from billing_site.lambda_function.worker_events import HourlyCheckFailed
from payments.gateways.port import Declined, Unknown
from payments.messages.queue import UnableToSend
from payments.models import Payment
from rebilling.hourly_check import check_hourly
from rebilling.models import Run
from rebilling.reconciliation import reconcile as reconciling
from rebilling.reconciliation.summary import Reconciliation, reconciliations_of
from rebilling.sweep import sweep
from tests.builders import NOW, TODAY, QueueInHand, ScriptedGateway, an_account, at, billed, delivered
from tests.support.databases import rolled_back

pytestmark = rolled_back

HOUR = datetime.timedelta(hours=1)


class RefusingQueue(QueueInHand):
    def send(self, messages: Any) -> int:
        list(messages)
        raise UnableToSend("The queue can't be reached.")


@pytest.fixture
def runs() -> list[Run]:
    """Three open runs; a payment of the last is unknown."""
    found = []
    for _ in range(2):
        an_account()
        found.append(billed(as_of=TODAY))
    an_account()
    return [*found, billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="timed out")))]


@pytest.fixture
def second_fails(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of the runs can't be reconciled."""
    mark_reconciled = reconciling._mark_reconciled

    def failing(run_id: Any, now: datetime.datetime) -> str:
        if run_id == runs[1].id:
            raise RuntimeError("a constraint")
        return mark_reconciled(run_id, now)

    monkeypatch.setattr(reconciling, "_mark_reconciled", failing)


def statuses(runs: list[Run]) -> list[str]:
    return [Run.objects.get(id=run.id).status for run in runs]


class TestAStepThatFails:
    @pytest.mark.usefixtures("second_fails")
    def test_keeps_no_other_from_being_taken_and_is_an_error(
        self, runs: list[Run], caplog: pytest.LogCaptureFixture
    ) -> None:
        queue = QueueInHand()
        check = check_hourly(queue=queue, now=NOW + HOUR)
        assert statuses(runs) == ["RECONCILED", "OPEN", "RECONCILED"]
        assert check.failed == [f"reconcile run {runs[1].id}: a constraint"]
        # The unknown payment is looked up all the same.
        assert (check.sent, queue.payments) == (1, [Payment.objects.get(status="UNKNOWN").id])
        (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert (record.event, record.step) == (  # type: ignore[attr-defined]
            "hourly.failed",
            f"reconcile run {runs[1].id}",
        )
        assert record.exc_info
        metrics = [record for record in caplog.records if hasattr(record, "needs_review")]
        assert [(record.unexplained, record.needs_review) for record in metrics] == [(0, 0)]  # type: ignore[attr-defined]

    def test_to_look_at_one_run_keeps_no_other_from_being_reconciled(
        self, runs: list[Run], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def failing(*, runs: list[Run], now: datetime.datetime) -> list[Reconciliation]:
            if broken in runs:
                raise RuntimeError("a currency")
            return reconciliations_of(runs=runs, now=now)

        broken = runs[1]
        monkeypatch.setattr("rebilling.hourly_check.reconciliations_of", failing)
        check = check_hourly(queue=None, now=NOW + HOUR)
        assert check.failed == ["summarize open runs: a currency", f"summarize run {broken.id}: a currency"]
        assert statuses(runs) == ["RECONCILED", "OPEN", "RECONCILED"]

    def test_to_send_keeps_runs_reconciled_and_what_is_overdue_handed_over(self, runs: list[Run]) -> None:
        check = check_hourly(queue=RefusingQueue(), now=NOW + datetime.timedelta(days=5))
        assert check.failed == [
            f"send {what}: The queue can't be reached."
            for what in (
                "payments",
                "refunds",
                "sessions",
            )
        ]
        assert statuses(runs) == ["RECONCILED"] * 3
        assert Payment.objects.get(status="UNKNOWN").needs_review

    @pytest.mark.usefixtures("second_fails")
    def test_fails_the_function_once_all_is_done(self, runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
        queue = QueueInHand()
        monkeypatch.setattr("billing_site.lambda_function.worker_events.configured_queue", lambda: queue)
        # It would close the connection whose transaction the test is undone by.
        monkeypatch.setattr("billing_site.lambda_function.entry.close_old_connections", lambda: None)
        event = {"command": "reconcile", "time": "2026-01-01T07:05:00Z"}
        with pytest.raises(HourlyCheckFailed, match=f"reconcile run {runs[1].id}: a constraint"):
            handler(event, None)
        assert statuses(runs) == ["RECONCILED", "OPEN", "RECONCILED"]

    @pytest.mark.usefixtures("second_fails")
    def test_is_printed_by_the_command_which_exits_1(
        self, runs: list[Run], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("rebilling.management.commands.reconcile.configured_queue", QueueInHand)
        with pytest.raises(CommandError, match=r"^1 step of the check failed"):
            call_command("reconcile")
        captured = capsys.readouterr()
        assert f"Failed: reconcile run {runs[1].id}: a constraint" in captured.err
        assert captured.out.count("RECONCILED") == 2


class TestStepsOfDunning:
    """One has come today, and passed the volume check with the day's sweep, whose function was cut off before it."""

    DAY = TODAY + datetime.timedelta(days=1)

    @pytest.fixture
    def account(self, settings: Any) -> Account:
        settings.DUNNING_DAYS = [1, 3]
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="insufficient_funds")))
        cut = mock.patch("rebilling.sweep.send_dunning", side_effect=KeyboardInterrupt)
        with cut, pytest.raises(KeyboardInterrupt):
            sweep(as_of=self.DAY, queue=QueueInHand(), now=at(self.DAY))
        assert (Run.objects.latest("id").passed_at, self.steps()) == (at(self.DAY), 0)
        return account

    @staticmethod
    def steps() -> int:
        return Payment.objects.filter(cause="dunning").count()

    def test_are_taken_and_sent_once(self, account: Account) -> None:
        queue = QueueInHand()
        for hours in (1, 2):
            check_hourly(queue=queue, now=at(self.DAY) + hours * HOUR)
        payment = Payment.objects.get(cause="dunning")
        assert set(queue.payments) == {payment.id}
        assert delivered(bodies=queue.take(), today=self.DAY) == []
        assert (self.steps(), Payment.objects.get(cause="dunning").status) == (1, "SUCCEEDED")
        account.refresh_from_db()
        assert account.status == "ACTIVE"

    def test_are_left_to_the_sweep_for_a_quarter_of_an_hour(self, account: Account) -> None:
        queue = QueueInHand()
        check_hourly(queue=queue, now=at(self.DAY) + datetime.timedelta(minutes=14))
        assert (queue.payments, self.steps()) == ([], 0)

    def test_wait_on_the_next_day_for_its_own_sweep(self, account: Account) -> None:
        """Yesterday's volume check didn't check what has come since."""
        queue = QueueInHand()
        check_hourly(queue=queue, now=at(self.DAY) + datetime.timedelta(days=1))
        assert (queue.payments, self.steps()) == ([], 0)
