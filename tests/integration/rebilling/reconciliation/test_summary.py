"""Reconciliations: everything due is explained, and a loss is reported."""

import datetime
import re
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.billing_day import billing_day
from accounts.models import Account
from invoices.credit_notes import issue_credit_note
from invoices.models import Invoice
from rebilling.models import Rebilling, Run
from rebilling.parked_periods import NotItsTurn, NotParked, release_parked, skip_parked
from rebilling.reconciliation.presentation import as_text
from rebilling.reconciliation.reconcile import open_runs, reconcile
from rebilling.reconciliation.summary import reconciliation_of
from subscriptions.lifecycle import close_account
from tests.builders import (
    NOW,
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
from tests.support.databases import rolled_back

DAY = datetime.timedelta(days=1)
LATER = NOW + datetime.timedelta(minutes=61)


@rolled_back
class TestReconciliation:
    def test_of_a_processed_run_is_clean_and_reconciles_it(self) -> None:
        an_account()
        an_account(plan=a_plan(currency="JPY", unit_amount_minor=500), quantity=2)
        run = billed(as_of=TODAY)
        (found,) = reconcile(runs=open_runs(), now=NOW)
        run.refresh_from_db()
        assert (run.status, run.reconciled_at, found.status) == ("RECONCILED", NOW, "RECONCILED")
        assert found.due.amount_minor == found.charged.amount_minor == {"JPY": 1000, "USD": 1999}
        assert found.payments["succeeded"] == 2
        assert open_runs() == []

    def test_of_a_run_in_progress_is_neither_clean_nor_unexplained(self) -> None:
        an_account()
        run = swept(as_of=TODAY, queue=QueueInHand())
        (found,) = reconcile(runs=[run], now=NOW)
        assert (found.waiting, found.unexplained.periods, found.clean) == (1, 0, False)
        assert Run.objects.get().status == "OPEN"

    def test_reports_a_lost_message_as_unexplained(self) -> None:
        an_account()
        an_account(plan=a_plan(unit_amount_minor=100))
        queue = QueueInHand()
        run = swept(as_of=TODAY, queue=queue)
        queue.take()
        found = reconciliation_of(run=run, now=LATER)
        assert (found.unexplained.periods, found.unexplained.amount_minor) == (2, {"USD": 2099})
        keys = [f"{account.id} from 2026-01-01 is still DUE" for account in Account.objects.order_by("id")]
        assert found.unexplained_first == keys

    def test_reports_a_date_moved_on_by_hand_as_unexplained(self) -> None:
        accounts = [an_account(), an_account()]
        Account.objects.filter(id=accounts[0].id).update(rebilling_date=datetime.date(2026, 2, 1))
        run = billed(as_of=TODAY)
        (found,) = reconcile(runs=[run], now=NOW)
        assert (found.due.periods, found.charged.periods, found.unexplained.periods) == (2, 1, 1)
        assert found.unexplained.amount_minor == {"USD": 1999}
        assert found.unexplained_first == [f"{accounts[0].id} from 2026-01-01 has no row"]
        assert f"    {accounts[0].id} from 2026-01-01 has no row" in as_text(found).splitlines()
        assert Run.objects.get().status == "OPEN"

    def test_reports_periods_skipped_over_in_a_later_run_too(self) -> None:
        account = an_account(plan=a_plan(interval_unit="day"), rebilling_date=TODAY)
        billed(as_of=TODAY)
        Account.objects.filter(id=account.id).update(rebilling_date=TODAY + 4 * DAY)
        run = billed(as_of=TODAY + 4 * DAY)
        (found,) = reconcile(runs=[run], now=at(TODAY + 4 * DAY))
        assert (found.due.periods, found.charged.periods, found.unexplained.periods) == (4, 1, 3)

    def test_does_not_count_an_account_that_was_committed_after_its_sweep(self) -> None:
        """A slow request read its clock before the sweep began; the next sweep finds its account."""
        run = billed(as_of=TODAY)
        account = an_account(now=NOW - datetime.timedelta(minutes=59))
        assert reconciliation_of(run=run, now=LATER).clean
        (reconciled,) = reconcile(runs=[run], now=LATER)
        assert reconciled.status == "RECONCILED"
        billed(as_of=TODAY)
        assert statuses_of(account) == [(TODAY, "CHARGED")]

    def test_counts_an_account_that_was_opened_an_hour_before_its_sweep(self) -> None:
        run = billed(as_of=TODAY)
        account = an_account(now=NOW - datetime.timedelta(minutes=60))
        found = reconciliation_of(run=run, now=LATER)
        assert found.unexplained_first == [f"{account.id} from {TODAY} has no row"]

    def test_reports_a_date_moved_over_a_period_that_was_skipped_while_the_account_was_closed(self) -> None:
        """The skipped row of the closed account is for the very days that the date was moved over."""
        february, march = datetime.date(2026, 2, 1), datetime.date(2026, 3, 1)
        account = an_account()
        billed(as_of=TODAY)
        queue = QueueInHand()
        swept(as_of=february, queue=queue)
        close_account(account_id=account.id, reason="left", author="t", today=february, now=at(february))
        assert delivered(bodies=queue.take(), today=february) == []
        # Reopened by hand: the operation bills a period that begins at once.
        by_hand = {"status": "ACTIVE", "inactive_reason": "", "rebilling_date": march}
        Account.objects.filter(id=account.id).update(**by_hand)
        (found,) = reconcile(runs=[billed(as_of=march)], now=at(march))
        assert found.unexplained_first == [f"{account.id} from 2026-02-01 has no row"]

    def test_counts_a_period_that_was_credited_whole_as_charged_and_covered(self) -> None:
        account = an_account()
        run = billed(as_of=TODAY)
        issue_credit_note(invoice_id=Invoice.objects.get().id, reason="wrong", author="t", today=TODAY, now=NOW)
        assert statuses_of(account) == [(TODAY, "VOIDED")]
        again = billed(as_of=TODAY)
        assert (reconciliation_of(run=run, now=LATER).charged.periods, again.rebillings.count()) == (1, 0)
        assert [reconciliation_of(run=each, now=LATER).clean for each in (run, again)] == [True, True]

    def test_counts_a_payment_of_three_periods_once(self) -> None:
        an_account()
        march = datetime.date(2026, 3, 1)
        run = billed(as_of=march)
        found = reconciliation_of(run=run, now=at(march))
        assert (found.charged.periods, found.payments["succeeded"]) == (3, 1)

    def test_counts_a_period_that_a_person_skipped_as_explained(self) -> None:
        account = an_account(plan=a_plan(interval_unit="day", unit_amount_minor=1), rebilling_date=TODAY)
        billed(as_of=TODAY + 36 * DAY)
        parked = Rebilling.objects.get(account=account)
        skip_parked(rebilling_id=parked.id, reason="a gift", author="t", now=at(TODAY + 36 * DAY))
        last = billed(as_of=TODAY + 36 * DAY)
        assert reconciliation_of(run=last, now=at(TODAY + 37 * DAY)).unexplained.periods == 0

    def test_does_not_count_an_account_opened_after_its_sweep(self) -> None:
        run = billed(as_of=TODAY)
        an_account(today=TODAY)
        Account.objects.update(billing_since=NOW + datetime.timedelta(hours=1))
        assert reconciliation_of(run=run, now=LATER).clean

    def test_of_a_sweep_cut_off_reports_what_it_never_found(self) -> None:
        an_account(now=NOW - DAY)
        run = Run.objects.create(as_of=TODAY, status=Run.Status.OPEN, started_at=NOW)
        assert reconciliation_of(run=run, now=NOW).unexplained.periods == 0
        assert reconciliation_of(run=run, now=LATER).unexplained.periods == 1
        billed(as_of=TODAY)
        assert reconciliation_of(run=run, now=LATER).clean


@rolled_back
class TestLeftovers:
    def test_are_sent_again_and_charged(self) -> None:
        account = an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        queue.take()
        assert sent_again(queue=queue, now=NOW) == 0
        assert sent_again(queue=queue, now=NOW + datetime.timedelta(minutes=16)) == 1
        assert delivered(bodies=queue.take()) == []
        assert statuses_of(account) == [(TODAY, "CHARGED")]

    def test_of_an_earlier_run_are_sent_by_the_next_without_being_counted(self) -> None:
        account = an_account()
        lost, queue = QueueInHand(), QueueInHand()
        first = swept(as_of=TODAY, queue=lost)
        second = swept(as_of=TODAY + DAY, queue=queue)
        assert delivered(bodies=queue.take(), today=TODAY + DAY) == []
        assert statuses_of(account) == [(TODAY, "CHARGED")]
        assert reconciliation_of(run=first, now=LATER).charged.periods == 1
        assert reconciliation_of(run=second, now=LATER).due.periods == 0


@rolled_back
class TestParked:
    def _parked(self) -> tuple[Account, Run, Rebilling]:
        account = an_account(plan=a_plan(interval_unit="day", unit_amount_minor=1), rebilling_date=TODAY)
        run = billed(as_of=TODAY + 36 * DAY)
        reconcile(runs=[run], now=at(TODAY + 36 * DAY))
        return account, run, Rebilling.objects.get()

    def test_released_is_charged_by_the_next_sweep_and_its_run_reconciled_again(self) -> None:
        account, run, parked = self._parked()
        now = at(TODAY + 36 * DAY) + datetime.timedelta(hours=2)
        release_parked(rebilling_id=parked.id, reason="right so", author="staff:anna", now=now)
        run.refresh_from_db()
        assert (run.status, run.reconciled_at) == ("OPEN", None)
        assert reconciliation_of(run=run, now=now).waiting == 36
        billed(as_of=TODAY + 36 * DAY)
        assert [status for _, status in statuses_of(account)] == ["CHARGED"] * 36 + ["PARKED"]
        assert reconciliation_of(run=run, now=now).clean

    def test_released_among_too_many_makes_36_due_whoever_sends_them(self) -> None:
        account, run, parked = self._parked()
        now = at(TODAY + 36 * DAY) + datetime.timedelta(hours=2)
        release_parked(rebilling_id=parked.id, reason="right so", author="staff:anna", now=now)
        queue = QueueInHand()
        assert sent_again(queue=queue, now=now + datetime.timedelta(hours=1)) == 1
        assert delivered(bodies=queue.take(), today=TODAY + 36 * DAY) == []
        assert [status for _, status in statuses_of(account)] == ["CHARGED"] * 36 + ["PARKED"]
        billed(as_of=TODAY + 36 * DAY)
        later = at(TODAY + 37 * DAY)
        assert [found.unexplained.periods for found in reconcile(runs=list(Run.objects.all()), now=later)] == [0, 0]
        assert reconciliation_of(run=run, now=later).parked.periods == 1

    def test_skipped_is_never_charged_and_the_account_goes_on(self) -> None:
        account, run, parked = self._parked()
        skip_parked(rebilling_id=parked.id, reason="goodwill", author="staff:anna", now=NOW)
        account.refresh_from_db()
        assert account.rebilling_date == TODAY + DAY
        assert reconciliation_of(run=run, now=LATER).skipped.reasons == {"skipped_by_person": 1}
        parked.refresh_from_db()
        assert parked.detail == "goodwill (staff:anna)"
        billed(as_of=TODAY + 36 * DAY)
        assert [status for _, status in statuses_of(account)] == ["SKIPPED"] + ["CHARGED"] * 36

    def test_skipping_waits_until_earlier_periods_are_charged(self) -> None:
        account, _, first = self._parked()
        now = at(TODAY + 36 * DAY)
        release_parked(rebilling_id=first.id, reason="right so", author="staff:anna", now=now)
        last = Rebilling.objects.get(status="PARKED")
        with pytest.raises(NotItsTurn, match=f"goes on at {TODAY}"):
            skip_parked(rebilling_id=last.id, reason="goodwill", author="staff:anna", now=now)
        last.refresh_from_db()
        assert last.status == "PARKED"
        billed(as_of=TODAY + 36 * DAY)
        skip_parked(rebilling_id=last.id, reason="goodwill", author="staff:anna", now=now)
        billed(as_of=TODAY + 37 * DAY)
        assert [status for _, status in statuses_of(account)] == ["CHARGED"] * 36 + ["SKIPPED", "CHARGED"]

    def test_refuses_what_is_not_parked(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        rebilling = Rebilling.objects.get()
        for operation in (release_parked, skip_parked):
            with pytest.raises(NotParked):
                operation(rebilling_id=rebilling.id, reason="r", author="t", now=NOW)
        assert statuses_of(account) == [(TODAY, "CHARGED")]


@rolled_back
class TestReconcileCommand:
    def test_exits_1_when_anything_is_unexplained(self, capsys: pytest.CaptureFixture[str]) -> None:
        account = an_account()
        run = billed(as_of=TODAY)
        call_command("reconcile", str(run.id))
        assert "Clean: due = charged + skipped + parked." in capsys.readouterr().out
        Account.objects.filter(id=account.id).update(rebilling_date=datetime.date(2026, 3, 1))
        run = billed(as_of=datetime.date(2026, 3, 1))
        with pytest.raises(CommandError, match=r"^1 period is unexplained"):
            call_command("reconcile", str(run.id))

    def test_names_an_unknown_run(self) -> None:
        with pytest.raises(CommandError, match="There is no run"):
            call_command("reconcile", str(a_plan().id))


@rolled_back
class TestSweepCommand:
    def test_dry_run_prints_what_it_would_find_and_writes_nothing(self, capsys: pytest.CaptureFixture[str]) -> None:
        an_account()
        an_account(plan=a_plan(interval_unit="day"), rebilling_date=TODAY)
        call_command("sweep", "--as-of", "2026-02-10", "--dry-run")
        assert capsys.readouterr().out.splitlines() == [
            "As of 2026-02-10 a sweep would find 2 periods due: 39.98 USD",
            "and park 1: 19.99 USD",
        ]
        assert (Run.objects.count(), Rebilling.objects.count()) == (0, 0)

    def test_today_is_the_day_in_the_billing_time_zone(
        self, settings: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """When it is the next day there and not yet in UTC, where the server's clock is."""
        settings.BILLING_TIME_ZONE = "Europe/Berlin"
        monkeypatch.setattr("accounts.clock.now", lambda: datetime.datetime(2026, 1, 31, 23, 30, tzinfo=datetime.UTC))
        call_command("sweep", "--as-of", "today", "--dry-run")
        assert capsys.readouterr().out.startswith("As of 2026-02-01 a sweep would find ")

    @pytest.mark.parametrize("day", ["1969-12-31", "2201-01-01", "2026-02-30", "tomorrow", "2026-1-1", "20260101"])
    def test_refuses_a_date_out_of_range(self, day: str) -> None:
        with pytest.raises(CommandError, match=re.escape(day)):
            call_command("sweep", "--as-of", day)
        assert Run.objects.count() == 0

    def test_without_a_queue_names_runlocal_and_writes_nothing(self, settings: object) -> None:
        settings.REBILLING_QUEUE_URL = ""  # type: ignore[attr-defined]
        an_account()
        with pytest.raises(CommandError, match="runlocal"):
            call_command("sweep", "--as-of", "2026-01-01")
        assert (Run.objects.count(), Rebilling.objects.count()) == (0, 0)

    @pytest.mark.parametrize("options", [[], ["--dry-run"]])
    @pytest.mark.parametrize("days", [1, 365, 36525])
    @pytest.mark.parametrize("has_queue", [True, False])
    def test_refuses_a_date_in_the_future_and_exits_2(
        self, monkeypatch: pytest.MonkeyPatch, settings: Any, options: list[str], days: int, has_queue: bool
    ) -> None:
        queue = QueueInHand()
        settings.REBILLING_QUEUE_URL = ""
        if has_queue:
            monkeypatch.setattr("subscriptions.management.commands.sweep.configured_queue", lambda: queue)
        today = billing_day(timezone.now())
        an_account(anchor_date=today, rebilling_date=today, today=today)
        day = today + days * DAY
        with pytest.raises(CommandError) as error:
            call_command("sweep", "--as-of", day.isoformat(), *options)
        assert str(error.value) == (
            f"{day} is in the future: today is {today}. Nothing is billed before its first day; sweep as of {today} or "
            "earlier."
        )
        assert error.value.returncode == 2
        assert (Run.objects.count(), Rebilling.objects.count(), queue.bodies) == (0, 0, [])
