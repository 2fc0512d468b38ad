"""Pending changes on their days: each day or late, again, and beside an account that the database refuses."""

import datetime
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from rebilling.reconciliation.missing_periods import missing_periods
from rebilling.reconciliation.summary import reconciliation_of
from subscriptions import due_changes
from subscriptions.agreed_terms import TermsChanges
from subscriptions.due_changes import apply_due_changes
from subscriptions.lifecycle import close_account, end_billing
from subscriptions.pauses import pause_account
from subscriptions.terms_changes import change_terms
from tests.builders import TODAY, QueueInHand, a_plan, an_account, at, billed, swept
from tests.support.databases import rolled_back
from tests.support.lifecycle import DAY, JAN_10, starts, status_of
from tests.support.owing import FEB_1, rows

pytestmark = rolled_back

JAN_5 = datetime.date(2026, 1, 5)


def signed(day: datetime.date = TODAY) -> dict[str, Any]:
    return {"reason": "as agreed", "author": "test", "today": day, "now": at(day)}


def daily(**given: Any) -> Account:
    return an_account(plan=a_plan(interval_unit="day", unit_amount_minor=100), **given)


def closes(account: Account, unit: int = 1) -> None:
    close_account(account_id=account.id, at=TODAY + 4 * unit * DAY, **signed())


def pauses(account: Account, unit: int = 1) -> None:
    pause_account(account_id=account.id, **signed())


def pauses_until(account: Account, unit: int = 1) -> None:
    pause_account(account_id=account.id, until=TODAY + 4 * unit * DAY, **signed())


def pauses_and_closes_later(account: Account, unit: int = 1) -> None:
    pause_account(account_id=account.id, until=TODAY + 4 * unit * DAY, **signed())
    close_account(account_id=account.id, at=TODAY + 7 * unit * DAY, **signed())


def pauses_and_closes_within(account: Account, unit: int = 1) -> None:
    pause_account(account_id=account.id, until=TODAY + 7 * unit * DAY, **signed())
    close_account(account_id=account.id, at=TODAY + 4 * unit * DAY, **signed())


def moves(account: Account, unit: int = 1) -> None:
    """Its weekly periods are cut in the middle of the fifth."""
    day = TODAY + (4 * unit + unit // 2) * DAY
    change_terms(account_id=account.id, changes=TermsChanges(anchor_date=day), effective=day, **signed())


def moves_and_closes_later(account: Account, unit: int = 1) -> None:
    moves(account, unit)
    close_account(account_id=account.id, at=TODAY + 7 * unit * DAY, **signed())


def moves_and_closes_that_day(account: Account, unit: int = 1) -> None:
    moves(account, unit)
    close_account(account_id=account.id, at=TODAY + (4 * unit + unit // 2) * DAY, **signed())


def moves_during_a_pause(account: Account, unit: int = 1) -> None:
    moves(account, unit)
    pause_account(account_id=account.id, until=TODAY + 6 * unit * DAY, **signed())


def moves_after_a_pause(account: Account, unit: int = 1) -> None:
    moves(account, unit)
    pause_account(account_id=account.id, until=TODAY + 2 * unit * DAY, **signed())


ASKED = [closes, pauses, pauses_until, pauses_and_closes_later, pauses_and_closes_within]
ASKED += [moves, moves_and_closes_later, moves_and_closes_that_day, moves_during_a_pause, moves_after_a_pause]


class TestRunAfterDaysDown:
    """Asked for on the first day; then a run each day, or none until the last, when three run."""

    @pytest.mark.parametrize("ask", ASKED)
    @pytest.mark.parametrize(("interval_unit", "days"), [("day", 1), ("week", 7)])
    def test_comes_to_the_same_as_one_each_day(
        self, ask: Callable[[Account, int], None], interval_unit: str, days: int
    ) -> None:
        plan = a_plan(interval_unit=interval_unit, unit_amount_minor=100)
        last = TODAY + 10 * days * DAY

        def run_on(each: list[datetime.date]) -> Any:
            with transaction.atomic():
                account = an_account(plan=plan)
                ask(account, days)
                for day in each:
                    run = billed(as_of=day)
                assert reconciliation_of(run=run, now=at(last) + DAY).clean
                came = (starts(account), status_of(account), account.anchor_date, account.rebilling_date)
                paid = sum(minor for *_, minor in rows(account))
                transaction.set_rollback(True)
            return came, paid

        daily_runs = run_on([TODAY + day * DAY for day in range(10 * days + 1)])
        assert run_on([last] * 3) == daily_runs
        # Nor does it matter on which day the runs came back.
        assert run_on([TODAY, TODAY + 3 * days * DAY, last, last, last]) == daily_runs

    def test_closes_only_once_earlier_periods_are_billed(self) -> None:
        account = daily()
        closes(account)
        queue = QueueInHand()
        swept(as_of=JAN_10, queue=queue)
        assert [start for start, *_ in starts(account)] == [TODAY + day * DAY for day in range(4)]
        assert status_of(account) == ("PENDING", "")
        # From its day on, nothing is missing.
        assert list(missing_periods(as_of=JAN_10)) == []
        # A second run, before the worker: nothing is lost.
        swept(as_of=JAN_10, queue=queue)
        assert status_of(account) == ("PENDING", "")


class TestAgain:
    def test_changes_nothing(self) -> None:
        account = daily()
        pauses_until(account)
        for _ in range(2):
            billed(as_of=JAN_5)
        before = (account.changes.count(), account.terms.count(), starts(account), status_of(account))
        assert apply_due_changes(as_of=JAN_5, today=JAN_5, now=at(JAN_5)) == 0
        assert (account.changes.count(), account.terms.count(), starts(account), status_of(account)) == before

    def test_of_a_day_gone_by_finds_what_was_due_by_then(self) -> None:
        account = daily()
        closes(account)
        billed(as_of=JAN_5 - DAY)
        assert apply_due_changes(as_of=JAN_5 - DAY, today=JAN_10, now=at(JAN_10)) == 0
        assert apply_due_changes(as_of=JAN_5, today=JAN_10, now=at(JAN_10)) == 1


class TestOneBadAccount:
    def test_holds_up_no_other(self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
        accounts = [an_account() for _ in range(5)]
        billed(as_of=TODAY)
        for account in accounts:
            close_account(account_id=account.id, at="period_end", **signed())
        bad = accounts[2]

        def refusing(closing: Any, **given: Any) -> None:
            if bad.id in {account.id for account in closing}:
                raise IntegrityError("refused")
            end_billing(closing, **given)

        monkeypatch.setattr("subscriptions.due_changes.end_billing", refusing)
        with caplog.at_level(logging.ERROR):
            billed(as_of=FEB_1)
        assert [status_of(account)[0] for account in accounts].count("INACTIVE") == 4
        (record,) = [record for record in caplog.records if getattr(record, "event", "") == "account.change_refused"]
        assert vars(record)["account"] == str(bad.id)
        # It isn't billed, though, and the next run closes it.
        assert len(rows(bad)) == 1
        monkeypatch.undo()
        billed(as_of=FEB_1 + DAY)
        assert status_of(bad) == ("INACTIVE", "closed")


class TestBatches:
    def test_take_a_constant_number_of_statements(self) -> None:
        def ready(count: int) -> None:
            accounts = [an_account(plan=plan) for _ in range(count)]
            for account in accounts:
                pause_account(account_id=account.id, at="now", until=JAN_5, **signed())

        plan = a_plan()
        counts = []
        for count in (1, 4):
            ready(count)
            with CaptureQueriesContext(connection) as statements:
                assert apply_due_changes(as_of=JAN_5, today=JAN_5, now=at(JAN_5)) == count
            counts.append(len(statements))
        assert counts[0] == counts[1]

    def test_are_walked_to_the_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(due_changes, "BATCH_ACCOUNTS", 2)
        accounts = [an_account() for _ in range(5)]
        for account in accounts:
            pause_account(account_id=account.id, at="now", until=JAN_5, **signed())
        assert apply_due_changes(as_of=JAN_5, today=JAN_5, now=at(JAN_5)) == 5
