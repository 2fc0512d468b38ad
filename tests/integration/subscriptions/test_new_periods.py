"""A period that begins today is billed at once: what it comes to, and when it waits."""

import datetime
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import Account
from payments.messages import dispatch
from rebilling.models import Rebilling
from rebilling.on_demand_billing import NotBilled
from rebilling.run_review import release_run
from subscriptions.agreed_terms import TermsChanges
from subscriptions.lifecycle import close_account, reopen_account
from subscriptions.new_periods import NewPeriod
from subscriptions.pauses import pause_account, resume_account
from subscriptions.terms_changes import TermsChange, change_terms
from subscriptions.trials import move_trial_end
from tests.builders import TODAY, QueueInHand, a_plan, an_account, at, billed, delivered
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED, MAR_1, owing, received, rows
from tests.support.terms import pay
from tests.support.unchanged import nothing_moves

JAN_10, FEB_10 = datetime.date(2026, 1, 10), datetime.date(2026, 2, 10)

pytestmark = rolled_back

TOO_MUCH = override_settings(VOLUME_CHECK_SMALL_RUN=0, VOLUME_CHECK_MULTIPLE=1, VOLUME_CHECK_FIRST_AMOUNTS={"USD": 1})
"""Is any period of 50.00, or without history."""
OnCommit = DjangoCaptureOnCommitCallbacks


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> QueueInHand:
    """What is sent when something is committed."""
    queue = QueueInHand()
    monkeypatch.setattr(dispatch, "configured_queue", lambda: queue)
    return queue


def signed(day: datetime.date = FEB_10) -> dict[str, Any]:
    return {"reason": "as agreed", "author": "test", "today": day, "now": at(day)}


def paid() -> Account:
    account = an_account()
    billed(as_of=TODAY)
    return account


def trial() -> Callable[[], NewPeriod | None]:
    account = an_account(plan=a_plan(trial_days=60))
    return lambda: move_trial_end(account_id=account.id, ends_on=FEB_10, **signed()).new_period


def closed() -> Callable[[], NewPeriod | None]:
    account = paid()
    close_account(account_id=account.id, **signed(JAN_10))
    return lambda: reopen_account(account_id=account.id, **signed()).new_period


def paused() -> Callable[[], NewPeriod | None]:
    account = paid()
    pause_account(account_id=account.id, at="now", **signed(JAN_10))
    return lambda: resume_account(account_id=account.id, **signed()).new_period


def running() -> Callable[[], NewPeriod | None]:
    account = paid()
    return lambda: anchored_again(account, unit_amount_minor=5000).new_period


def anchored_again(account: Account, *, dry_run: bool = False, **to: Any) -> TermsChange:
    changes = TermsChanges(anchor_date=JAN_10, **to)
    return change_terms(account_id=account.id, changes=changes, dry_run=dry_run, **signed(JAN_10))


BEFORE = [trial, closed, paused, running]
"""What ends with the beginning of a period."""


class TestNewPeriod:
    @pytest.mark.parametrize("before", BEFORE)
    def test_is_invoiced_and_its_payment_is_sent(
        self, before: Any, queue: QueueInHand, django_capture_on_commit_callbacks: OnCommit
    ) -> None:
        begin = before()
        with django_capture_on_commit_callbacks(execute=True):
            new = begin()
        assert new.invoice is not None
        row = Rebilling.objects.get(invoice=new.invoice.invoice)
        assert (new.not_billed, row.status, row.run.kind) == (None, "CHARGED", "on_demand")
        assert [line.period_start for line in new.invoice.lines] == [row.period_start]
        assert queue.payments == [new.invoice.invoice.payments.get().id]

    @pytest.mark.parametrize("before", BEFORE)
    def test_waits_in_a_held_run_until_that_is_released(
        self, before: Any, queue: QueueInHand, django_capture_on_commit_callbacks: OnCommit
    ) -> None:
        begin = before()
        with TOO_MUCH:
            new = begin()
        assert (new.invoice, new.not_billed) == (None, NotBilled.RUN_HELD)
        (row,) = Rebilling.objects.filter(status="DUE")
        assert (row.run.status, row.run.kind) == ("HELD", "on_demand")
        with django_capture_on_commit_callbacks(execute=True):
            release_run(run_id=row.run_id, reason="real", author="ann", now=at(row.period_start), queue=queue)
        assert delivered(bodies=queue.take(), today=row.period_start, queue=queue) == []
        row.refresh_from_db()
        assert row.status == "CHARGED"

    def test_is_paid_by_the_rest_of_the_one_that_was_cut(self) -> None:
        change = anchored_again(paid())
        assert change.new_period is not None
        assert change.new_period.invoice is not None
        # 22 of January's 31 days.
        invoice = change.new_period.invoice.invoice
        assert (invoice.total_minor, invoice.balance_applied_minor, invoice.outstanding_minor) == (1999, 1419, 580)
        assert change.rebilling_date == FEB_10

    def test_begins_on_no_other_day(self) -> None:
        account = paid()
        pause_account(account_id=account.id, at="now", **signed(JAN_10))
        assert resume_account(account_id=account.id, on=MAR_1, **signed()).new_period is None
        # A period that is paid for goes on.
        other = paid()
        close_account(account_id=other.id, **signed(JAN_10))
        assert reopen_account(account_id=other.id, **signed(JAN_10)).new_period is None

    def test_is_not_billed_on_the_day_of_a_closing(self) -> None:
        with override_settings(DUNNING_DAYS=[]):
            account = owing(DECLINED)
        close_account(account_id=account.id, at=FEB_10, **signed(JAN_10))
        assert reopen_account(account_id=account.id, **signed()).new_period is None
        billed(as_of=FEB_10)
        account.refresh_from_db()
        assert (account.inactive_reason, account.rebillings.count()) == ("closed", 1)

    def test_of_an_account_that_paid_up_is_the_next_sweeps(self) -> None:
        with override_settings(DUNNING_DAYS=[]):
            account = owing(DECLINED)
        received(account, 1999, today=FEB_10, now=at(FEB_10))
        assert len(rows(account)) == 1
        billed(as_of=FEB_10)
        assert len(rows(account)) == 2


class TestDryRun:
    def test_shows_it_and_leaves_nothing_behind(
        self, queue: QueueInHand, django_capture_on_commit_callbacks: OnCommit
    ) -> None:
        account = paid()
        with nothing_moves(), django_capture_on_commit_callbacks() as callbacks:
            shown = anchored_again(account, dry_run=True)
        assert (callbacks, queue.bodies) == ([], [])
        assert shown.new_period is not None
        assert shown.new_period.invoice is not None
        done = anchored_again(account)
        pay(account, on=JAN_10)
        assert done.rebilling_date == shown.rebilling_date == FEB_10
        assert rows(account)[-1] == ("PAID", shown.new_period.invoice.invoice.balance_applied_minor, 580)

    def test_of_a_run_that_would_be_held_rings_for_nobody(
        self, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: OnCommit
    ) -> None:
        account = paid()
        caplog.clear()
        with (
            TOO_MUCH,
            django_capture_on_commit_callbacks(execute=True),
            caplog.at_level(logging.ERROR),
        ):
            shown = anchored_again(account, dry_run=True, unit_amount_minor=5000).new_period
        assert shown is not None
        assert shown.not_billed == NotBilled.RUN_HELD
        assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []
