"""The volume check on the sweep: what is held, against which history, and that nothing of it goes out."""

import datetime
import logging
from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.billing_day import billing_day
from accounts.models import Account
from invoices.credit_notes import issue_credit_note
from invoices.models import Invoice
from ledger.models import Entry
from payments.gateways.port import Declined
from payments.models import Payment
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.presentation import as_text
from rebilling.reconciliation.reconcile import open_runs, reconcile
from rebilling.reconciliation.summary import reconciliation_of
from rebilling.run_review import cancel_run, release_run
from rebilling.volume_check import pass_or_hold
from subscriptions.lifecycle import close_account
from tests.builders import (
    TODAY,
    QueueInHand,
    ScriptedGateway,
    a_message,
    at,
    billed,
    delivered,
    due,
    sent_again,
    statuses_of,
    swept,
)
from tests.support.databases import rolled_back

DAY = datetime.timedelta(days=1)
NEXT = TODAY + DAY
MINUTES = datetime.timedelta(minutes=1)
SOFT = Declined(code="insufficient_funds")

pytestmark = rolled_back


@pytest.fixture(autouse=True)
def _no_run_is_small(settings: Any) -> None:
    settings.VOLUME_CHECK_SMALL_RUN = 0


def held(*, first: int = 1, then: int = 4) -> tuple[Run, list[Account]]:
    """A run of TODAY that passed, and one of the next day that is held."""
    due(first, on=TODAY)
    billed(as_of=TODAY)
    accounts = due(then, on=NEXT)
    run = swept(as_of=NEXT, queue=QueueInHand())
    assert run.status == "HELD"
    return run, accounts


class TestAHeldRun:
    def test_sends_and_charges_nothing_and_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        due(1, on=TODAY)
        billed(as_of=TODAY)
        accounts, queue = due(4, on=NEXT), QueueInHand()
        with caplog.at_level(logging.ERROR):
            run = swept(as_of=NEXT, queue=queue)
        assert queue.bodies == []
        run.refresh_from_db()
        assert (run.status, run.passed_at, run.swept_at) == ("HELD", None, at(NEXT))
        assert run.held_because == (
            "4 periods are due, more than 3 (3 times the largest run of 35 days, for 1 day); "
            "79.96 USD is due, more than 59.97 USD (3 times the largest run of 35 days, for 1 day)"
        )
        assert [statuses_of(account) for account in accounts] == [[(NEXT, "DUE")]] * 4
        assert (Entry.objects.filter(type="charge").count(), Payment.objects.count()) == (1, 1)
        (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
        assert (record.event, record.periods, record.amount_minor) == (  # type: ignore[attr-defined]
            "run.held",
            4,
            {"USD": 7996},
        )

    def test_is_not_held_at_the_limit(self) -> None:
        due(1, on=TODAY)
        billed(as_of=TODAY)
        due(3, on=NEXT)
        run = billed(as_of=NEXT)
        assert (run.status, run.passed_at) == ("OPEN", at(NEXT))
        assert reconciliation_of(run=run, now=at(NEXT)).charged.periods == 3

    def test_is_in_progress_however_long_and_an_error_each_hour(self, caplog: pytest.LogCaptureFixture) -> None:
        run, _ = held()
        for hours in (1, 2, 300):
            caplog.clear()
            with caplog.at_level(logging.INFO):
                found = reconcile(runs=open_runs(), now=at(NEXT) + hours * 60 * MINUTES)[-1]
            assert (found.run_id, found.status, found.waiting, found.unexplained.periods) == (run.id, "HELD", 4, 0)
            assert "HELD, nothing is sent: 4 periods are due, more than 3" in as_text(found)
            errors = [record.message for record in caplog.records if record.levelname == "ERROR"]
            assert errors == ["a run is held: release or cancel it"]
        assert Run.objects.get(id=run.id).status == "HELD"

    def test_is_printed_by_reconcile_which_finds_nothing_unexplained(self, capsys: pytest.CaptureFixture[str]) -> None:
        run, _ = held()
        call_command("reconcile")
        out = capsys.readouterr().out
        assert f"Run {run.id} as of 2026-01-02, HELD" in out
        assert "  unexplained         0\n" in out.split(str(run.id))[1]

    def test_is_not_sent_by_the_hourly_reconcile_nor_charged_by_a_message_that_names_it(self) -> None:
        run, accounts = held()
        queue = QueueInHand()
        assert sent_again(queue=queue, now=at(NEXT) + 120 * MINUTES) == 0
        assert delivered(bodies=[a_message(run=run, rebillings=run.rebillings.all())], today=NEXT) == []
        assert [statuses_of(account) for account in accounts] == [[(NEXT, "DUE")]] * 4
        assert Payment.objects.count() == 1

    def test_keeps_the_leftovers_of_other_runs_for_the_hourly_reconcile(self) -> None:
        (left,) = due(1, on=TODAY)
        swept(as_of=TODAY, queue=QueueInHand())
        accounts, queue = due(4, on=NEXT), QueueInHand()
        assert swept(as_of=NEXT, queue=queue).status == "HELD"
        assert queue.bodies == []
        assert sent_again(queue=queue, now=at(NEXT)) == 1
        assert delivered(bodies=queue.take(), today=NEXT) == []
        assert statuses_of(left) == [(TODAY, "CHARGED")]
        assert [statuses_of(account) for account in accounts] == [[(NEXT, "DUE")]] * 4

    def test_is_passed_over_by_later_sweeps_which_are_clean(self) -> None:
        due(1, on=TODAY, unit="day")
        billed(as_of=TODAY)
        accounts = due(4, on=NEXT, unit="day")
        run = swept(as_of=NEXT, queue=QueueInHand())
        assert (run.status, run.rebillings.count()) == ("HELD", 5)
        (other,) = due(1, on=NEXT + DAY)
        queue = QueueInHand()
        later = swept(as_of=NEXT + DAY, queue=queue)
        assert [item.account_id for message in queue.messages for item in message.periods] == [other.id]
        assert delivered(bodies=queue.take(), today=NEXT + DAY) == []
        found = reconciliation_of(run=later, now=at(NEXT + DAY) + 120 * MINUTES)
        assert (found.due.periods, found.charged.periods, found.clean) == (1, 1, True)
        assert statuses_of(other) == [(NEXT + DAY, "CHARGED")]
        assert [statuses_of(account) for account in accounts] == [[(NEXT, "DUE")]] * 4
        assert Rebilling.objects.filter(status="PARKED").count() == 0

    def test_loses_the_period_of_an_account_that_is_closed(self) -> None:
        _, accounts = held()
        close_account(account_id=accounts[0].id, reason="left", author="t", today=NEXT, now=at(NEXT))
        assert statuses_of(accounts[0]) == [(NEXT, "SKIPPED")]


class TestHistory:
    def test_three_days_down_are_caught_up_and_not_held_for_it(self, settings: Any) -> None:
        settings.VOLUME_CHECK_MULTIPLE = 1
        due(2, on=TODAY, unit="day")
        billed(as_of=TODAY)
        run = billed(as_of=TODAY + 4 * DAY)
        assert (run.status, run.rebillings.count()) == ("OPEN", 8)

    def test_three_days_down_pass_no_more_than_four_days_worth(self, settings: Any) -> None:
        settings.VOLUME_CHECK_MULTIPLE = 1
        due(2, on=TODAY, unit="day")
        billed(as_of=TODAY)
        due(1, on=TODAY + 4 * DAY)
        assert swept(as_of=TODAY + 4 * DAY, queue=QueueInHand()).held_because.startswith(
            "9 periods are due, more than 8"
        )

    def test_a_run_that_found_nothing_counts_as_a_swept_day_only(self) -> None:
        due(1, on=TODAY)
        for days in range(4):
            assert billed(as_of=TODAY + days * DAY).status == "OPEN"
        due(4, on=TODAY + 4 * DAY)
        run = swept(as_of=TODAY + 4 * DAY, queue=QueueInHand())
        assert run.held_because.startswith("4 periods are due, more than 3")

    @pytest.mark.parametrize(("days", "status"), [(35, "HELD"), (36, "OPEN")])
    def test_ends_after_35_days(self, settings: Any, days: int, status: str) -> None:
        settings.VOLUME_CHECK_FIRST_PERIODS = 200
        due(1, on=TODAY, unit="year")
        billed(as_of=TODAY)
        billed(as_of=TODAY + (days - 1) * DAY)
        due(4, on=TODAY + days * DAY)
        assert swept(as_of=TODAY + days * DAY, queue=QueueInHand()).status == status

    @pytest.mark.parametrize("reconciled", [False, True])
    @pytest.mark.parametrize(("count", "status"), [(9, "OPEN"), (10, "HELD")])
    def test_takes_the_largest_run_and_not_the_last_nor_all_of_them(
        self, count: int, status: str, reconciled: bool
    ) -> None:
        for days, periods in enumerate([2, 3, 1]):
            due(periods, on=TODAY + days * DAY, unit="year")
            assert billed(as_of=TODAY + days * DAY).status == "OPEN"
        if reconciled:
            reconcile(runs=open_runs(), now=at(TODAY + 2 * DAY))
        due(count, on=TODAY + 3 * DAY, unit_amount_minor=1)
        assert swept(as_of=TODAY + 3 * DAY, queue=QueueInHand()).status == status

    @pytest.mark.parametrize("reconciled", [False, True])
    def test_takes_the_largest_run_and_of_each_currency_its_own(self, reconciled: bool) -> None:
        due(3, on=TODAY, unit="year", unit_amount_minor=100)
        due(1, on=TODAY + DAY, unit="year", unit_amount_minor=100, currency="EUR")
        for days in range(2):
            billed(as_of=TODAY + days * DAY)
        if reconciled:
            reconcile(runs=open_runs(), now=at(TODAY + DAY))
            assert not open_runs()
        due(5, on=TODAY + 2 * DAY, unit_amount_minor=100)
        due(4, on=TODAY + 2 * DAY, unit_amount_minor=100, currency="EUR")
        run = swept(as_of=TODAY + 2 * DAY, queue=QueueInHand())
        assert run.held_because == (
            "4.00 EUR is due, more than 3.00 EUR (3 times the largest run of 35 days, for 1 day)"
        )

    def test_holds_a_small_run_for_a_price_that_is_a_hundred_times_too_much(self, settings: Any) -> None:
        """Fifty customers a day, and a day on which their price is in cents of cents."""
        settings.VOLUME_CHECK_SMALL_RUN = 50
        due(2, on=TODAY, unit="year")
        due(1, on=TODAY, unit="year", unit_amount_minor=0)
        billed(as_of=TODAY)
        due(30, on=NEXT, unit_amount_minor=199_900)
        run = swept(as_of=NEXT, queue=QueueInHand())
        # On average 13.33 a period.
        assert run.held_because == (
            "59,970.00 USD is due, more than 1,999.50 USD (3 times 50 periods at the average of 35 days, for 1 day)"
        )

    @pytest.mark.parametrize("reconciled", [False, True])
    def test_leaves_out_held_runs_and_what_was_credited_whole(self, reconciled: bool) -> None:
        held(then=40)
        if reconciled:
            # The day after the run: of the held one nothing is reconciled.
            reconcile(runs=open_runs(), now=at(NEXT))
            assert Run.objects.filter(status="RECONCILED").count() == 1
        due(7, on=NEXT + DAY)
        # Two days after the one run that went through.
        assert swept(as_of=NEXT + DAY, queue=QueueInHand()).held_because.startswith("7 periods are due, more than 6")

        for invoice in Invoice.objects.all():
            issue_credit_note(invoice_id=invoice.id, reason="wrong", author="t", today=NEXT, now=at(NEXT))
        due(10, on=NEXT + 2 * DAY)
        assert swept(as_of=NEXT + 2 * DAY, queue=QueueInHand()).status == "OPEN"

    def test_counts_no_days_from_sweeps_that_passed_over_a_held_run(self) -> None:
        """A run is held and its accounts fall behind; once it is released, the next sweep catches up."""
        due(1, on=TODAY)
        billed(as_of=TODAY)
        due(5, on=NEXT, unit="day")
        run = swept(as_of=NEXT, queue=QueueInHand())
        assert run.status == "HELD"
        for days in range(1, 5):
            assert billed(as_of=NEXT + days * DAY).status == "OPEN"
        released = at(NEXT + 4 * DAY) + 60 * MINUTES
        release_run(run_id=run.id, reason="right", author="t", now=released, queue=QueueInHand())
        caught_up = swept(as_of=NEXT + 5 * DAY, queue=QueueInHand())
        # Five days since the held run's own, and not one, which would let 15 through.
        assert (caught_up.status, caught_up.rebillings.count()) == ("OPEN", 25)

    def test_takes_the_same_number_of_statements_whatever_there_is(self) -> None:
        def statements() -> int:
            run = Run.objects.create(as_of=TODAY + 30 * DAY, status="OPEN", started_at=at(TODAY + 30 * DAY))
            with CaptureQueriesContext(connection) as queries:
                pass_or_hold(run=run, now=at(TODAY + 30 * DAY))
            return len(queries)

        one = statements()
        for days in range(4):
            due(2, on=TODAY + days * DAY, unit="year", currency=("USD", "EUR", "JPY", "GBP")[days])
            billed(as_of=TODAY + days * DAY)
        # A savepoint and its end, the lock, sizes, accounts, steps of dunning, days, history of reconciled runs and of
        # open ones, and the answer.
        assert statements() == one == 10
        reconcile(runs=open_runs(), now=at(TODAY + 4 * DAY))
        # And what was voided of the reconciled ones.
        assert statements() == 11


class TestStepsOfDunning:
    """They are checked with the day's periods, as they go out with them."""

    @pytest.fixture(autouse=True)
    def _due_tomorrow(self, settings: Any) -> None:
        settings.DUNNING_DAYS = [1, 30]

    def declined(self, count: int, *, answer: Declined = SOFT) -> list[Account]:
        accounts = due(count, on=TODAY)
        billed(as_of=TODAY, gateway=ScriptedGateway(*[answer] * count))
        assert Payment.objects.filter(status="DECLINED").count() == count
        return accounts

    def test_count_as_periods_and_hold_a_run_that_nothing_of_is_sent(self) -> None:
        self.declined(4)
        due(9, on=NEXT)
        queue = QueueInHand()
        run = swept(as_of=NEXT, queue=queue)
        assert run.held_because.startswith("13 periods are due (4 of them steps of dunning), more than 12")
        assert queue.bodies == []
        assert set(Account.objects.filter(dunning_on__isnull=False).values_list("dunning_steps", "dunning_on")) == {
            (0, NEXT)
        }
        assert Payment.objects.filter(cause="dunning").count() == 0

    def test_within_the_limit_go_out_with_the_run(self) -> None:
        self.declined(4)
        due(8, on=NEXT)
        queue = QueueInHand()
        run = swept(as_of=NEXT, queue=queue)
        steps = Payment.objects.filter(cause="dunning", status="SUBMITTED")
        assert (run.status, steps.count()) == ("OPEN", 4)
        assert sorted(queue.payments) == sorted(steps.values_list("id", flat=True))

    def test_go_out_when_a_person_releases_the_run(self, django_capture_on_commit_callbacks: Any) -> None:
        self.declined(4)
        due(9, on=NEXT)
        run, queue = swept(as_of=NEXT, queue=QueueInHand()), QueueInHand()
        with django_capture_on_commit_callbacks(execute=True):
            release_run(run_id=run.id, reason="right", author="t", now=at(NEXT), queue=queue)
        assert (len(queue.payments), sum(len(message.periods) for message in queue.messages)) == (4, 9)

    def test_are_not_taken_for_the_hourly_check_of_a_held_day(self) -> None:
        self.declined(4)
        due(9, on=NEXT)
        assert swept(as_of=NEXT, queue=QueueInHand()).status == "HELD"
        queue = QueueInHand()
        assert sent_again(queue=queue, now=at(NEXT) + 60 * MINUTES) == 0
        assert (queue.bodies, Payment.objects.filter(cause="dunning").count()) == ([], 0)

    def test_that_call_nobody_do_not_count(self) -> None:
        self.declined(4, answer=Declined(code="stolen_card", hard=True))
        due(9, on=NEXT)
        queue = QueueInHand()
        assert swept(as_of=NEXT, queue=queue).status == "OPEN"
        assert queue.payments == []
        assert set(Account.objects.filter(payment_method_unusable=True).values_list("dunning_steps", flat=True)) == {1}


class TestUnusualAccounts:
    """Parked ones, and ones with two or more periods due: a few are their own affair, many are a mistake of ours."""

    @pytest.mark.parametrize(("parked", "others", "status"), [(10, 0, "OPEN"), (11, 0, "HELD"), (11, 209, "OPEN")])
    def test_that_are_parked_hold_a_run_past_10_and_5_percent(self, parked: int, others: int, status: str) -> None:
        day_of_sweep = TODAY + 40 * DAY
        due(parked, on=TODAY, unit="day", unit_amount_minor=1)
        due(others, on=day_of_sweep, unit_amount_minor=1)
        run = swept(as_of=day_of_sweep, queue=QueueInHand())
        assert run.status == status
        if status == "HELD":
            assert run.held_because == "11 accounts are parked, more than 10 (5% of 11 accounts, and at least 10)"
            cancel_run(run_id=run.id, reason="mistyped dates", author="t", now=at(day_of_sweep))
            assert not Rebilling.objects.exclude(reason="run_cancelled").exists()

    @pytest.mark.parametrize(
        ("behind", "others", "status"), [(10, 0, "OPEN"), (11, 0, "HELD"), (12, 240, "OPEN"), (13, 239, "HELD")]
    )
    def test_that_catch_up_hold_a_run_past_10_and_5_percent(self, behind: int, others: int, status: str) -> None:
        """As the first run after an import with last year's date: 13 payments of one customer."""
        today = datetime.date(2027, 1, 1)
        due(behind, on=TODAY, unit_amount_minor=1)
        due(others, on=today, unit_amount_minor=1)
        queue = QueueInHand()
        run = swept(as_of=today, queue=queue)
        assert run.status == status
        if status == "HELD":
            assert f"{behind} accounts have two or more periods due, more than" in run.held_because
            assert (queue.bodies, Payment.objects.count()) == ([], 0)

    def test_count_with_what_a_sweep_that_was_cut_off_found(self) -> None:
        for _ in range(2):
            due(6, on=TODAY, unit="day", unit_amount_minor=1)
            with (
                mock.patch("rebilling.sweep.pass_or_hold", side_effect=KeyboardInterrupt),
                pytest.raises(KeyboardInterrupt),
            ):
                swept(as_of=NEXT, queue=QueueInHand())
        run = swept(as_of=NEXT, queue=QueueInHand())
        assert run.held_because.startswith("12 accounts have two or more periods due, more than 10")

    def test_are_predicted_by_a_dry_run(self, capsys: pytest.CaptureFixture[str]) -> None:
        today = billing_day(timezone.now())
        due(11, on=today - DAY, unit="day", unit_amount_minor=1)
        call_command("sweep", "--as-of", today.isoformat(), "--dry-run")
        assert capsys.readouterr().out.splitlines()[1] == (
            "The volume check would hold it: 11 accounts have two or more periods due, more than 10 (5% of 11 "
            "accounts, and at least 10)"
        )


class TestSweepCommand:
    """By the clock of the machine, as a person uses it."""

    @pytest.fixture
    def queue(self, monkeypatch: pytest.MonkeyPatch) -> QueueInHand:
        queue = QueueInHand()
        monkeypatch.setattr("subscriptions.management.commands.sweep.configured_queue", lambda: queue)
        return queue

    def test_dry_run_says_that_the_volume_check_would_hold_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        today = billing_day(timezone.now())
        due(1, on=today - DAY)
        billed(as_of=today - DAY)
        due(3, on=today)
        call_command("sweep", "--as-of", today.isoformat(), "--dry-run")
        assert "volume_check" not in capsys.readouterr().out
        due(1, on=today)
        call_command("sweep", "--as-of", today.isoformat(), "--dry-run")
        assert capsys.readouterr().out.splitlines()[1] == (
            "The volume check would hold it: 4 periods are due, more than 3 (3 times the largest run of 35 days, for 1 "
            "day); 79.96 USD is due, more than 59.97 USD (3 times the largest run of 35 days, for 1 day)"
        )
        assert Run.objects.count() == 1

    def test_prints_a_held_run_and_exits_1(self, capsys: pytest.CaptureFixture[str], queue: QueueInHand) -> None:
        today = billing_day(timezone.now())
        due(1, on=today - DAY)
        billed(as_of=today - DAY)
        due(4, on=today)
        with pytest.raises(CommandError, match="The run is held") as error:
            call_command("sweep", "--as-of", today.isoformat())
        run = Run.objects.get(status="HELD")
        assert str(error.value) == (
            f"The run is held. Check it, then run `manage.py release_run {run.id} --reason R` or "
            f"`manage.py cancel_run {run.id} --reason R`."
        )
        assert "HELD, nothing is sent: 4 periods are due, more than 3" in capsys.readouterr().out
        assert queue.bodies == []

    def test_with_invalid_limits_writes_nothing(self, settings: Any) -> None:
        settings.VOLUME_CHECK_MULTIPLE = -1
        due(1, on=TODAY)
        with pytest.raises(ImproperlyConfigured):
            swept(as_of=TODAY, queue=QueueInHand())
        assert (Run.objects.count(), Rebilling.objects.count()) == (0, 0)
