"""Closing and reopening, with periods due, parked, charged or reversed."""

import datetime

import pytest

from accounts.locks import UnknownAccount
from accounts.models import Account, StatusChange
from accounts.reasons import ReasonMissing
from ledger.models import Entry
from payments.gateways.port import Declined
from rebilling.adjustments import reverse_entry
from rebilling.models import Rebilling
from rebilling.reconciliation.summary import reconciliation_of
from subscriptions.lifecycle import UnableToClose, UnableToReopen, close_account, reopen_account
from tests.builders import (
    NOW,
    TODAY,
    QueueInHand,
    ScriptedGateway,
    a_plan,
    an_account,
    at,
    billed,
    delivered,
    statuses_of,
    swept,
)
from tests.support.databases import rolled_back

JAN_10, FEB_1, FEB_5 = datetime.date(2026, 1, 10), datetime.date(2026, 2, 1), datetime.date(2026, 2, 5)


def closed(account: Account, *, on: datetime.date = TODAY) -> Account:
    return close_account(account_id=account.id, reason="moved away", author="test", now=at(on))


def reopened(account: Account, *, on: datetime.date) -> Account:
    return reopen_account(account_id=account.id, reason="came back", author="test", today=on, now=at(on))


@rolled_back
class TestCloseAccount:
    def test_skips_what_is_due_and_writes_history(self) -> None:
        account = an_account()
        queue = QueueInHand()
        run = swept(as_of=TODAY, queue=queue)
        closed(account)
        assert delivered(bodies=queue.take()) == []
        account.refresh_from_db()
        assert (account.status, account.inactive_reason, account.rebilling_date) == ("INACTIVE", "closed", TODAY)
        assert reconciliation_of(run=run, now=NOW).skipped.reasons == {"account_inactive": 1}
        assert Entry.objects.count() == 0
        change = StatusChange.objects.order_by("-id")[0]
        assert (change.from_status, change.to_status, change.reason) == ("PENDING", "INACTIVE", "moved away")

    def test_a_closed_account_is_not_swept(self) -> None:
        account = closed(an_account())
        billed(as_of=FEB_1)
        assert statuses_of(account) == []

    def test_what_was_charged_before_is_still_collected(self) -> None:
        account = an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        bodies = queue.take()
        assert delivered(bodies=bodies, seconds_left=10, queue=queue) == []
        closed(account)
        assert delivered(bodies=queue.take(), queue=queue) == []
        account.refresh_from_db()
        assert statuses_of(account) == [(TODAY, "PAID")]
        assert account.status == "INACTIVE"

    def test_refuses_a_second_time_and_changes_nothing(self) -> None:
        account = closed(an_account())
        with pytest.raises(UnableToClose):
            closed(account)
        assert StatusChange.objects.count() == 2

    def test_refuses_an_account_that_was_imported_as_inactive(self) -> None:
        account = an_account()
        Account.objects.update(status="INACTIVE", inactive_reason="imported")
        with pytest.raises(UnableToClose):
            closed(account)
        account.refresh_from_db()
        assert account.inactive_reason == "imported"

    @pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
    def test_needs_a_reason(self, reason: str) -> None:
        account = an_account()
        with pytest.raises(ReasonMissing):
            close_account(account_id=account.id, reason=reason, author="test", now=NOW)
        account.refresh_from_db()
        assert account.status == "PENDING"

    def test_refuses_an_unknown_account(self) -> None:
        with pytest.raises(UnknownAccount):
            close_account(account_id=a_plan().id, reason="gone", author="test", now=NOW)


@rolled_back
class TestReopenAccount:
    def test_goes_on_at_the_end_of_a_paid_period_that_still_runs(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        closed(account, on=JAN_10)
        account = reopened(account, on=JAN_10)
        assert (account.status, account.anchor_date, account.rebilling_date) == ("ACTIVE", TODAY, FEB_1)

    def test_is_anchored_again_when_the_paid_period_is_over(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        closed(account, on=JAN_10)
        account = reopened(account, on=FEB_5)
        assert (account.anchor_date, account.rebilling_date) == (FEB_5, FEB_5)
        run = billed(as_of=FEB_5)
        assert statuses_of(account) == [(TODAY, "PAID"), (FEB_5, "PAID")]
        assert reconciliation_of(run=run, now=at(FEB_5 + datetime.timedelta(days=2))).clean

    def test_is_pending_when_it_never_paid(self) -> None:
        assert reopened(closed(an_account()), on=JAN_10).status == "PENDING"

    def test_is_past_due_when_it_owes(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="card_declined")))
        closed(account)
        account = reopened(account, on=JAN_10)
        assert (account.status, account.rebilling_date) == ("PAST_DUE", FEB_1)

    def test_is_anchored_again_when_the_running_periods_charge_was_reversed(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        closed(account, on=JAN_10)
        charge = Entry.objects.get(type="charge")
        reverse_entry(entry_id=charge.id, reason="goodwill", author="test", today=JAN_10, now=at(JAN_10))
        account = reopened(account, on=JAN_10)
        assert (account.anchor_date, account.rebilling_date) == (JAN_10, JAN_10)
        billed(as_of=JAN_10)
        assert statuses_of(account) == [(TODAY, "VOIDED"), (JAN_10, "PAID")]

    def test_on_the_day_of_a_reversed_charge_goes_on_with_the_next_period(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        charge = Entry.objects.get(type="charge")
        reverse_entry(entry_id=charge.id, reason="goodwill", author="test", today=TODAY, now=NOW)
        closed(account)
        assert reopened(account, on=TODAY).rebilling_date == FEB_1

    def test_closed_and_reopened_with_its_batch_in_flight_is_charged_once_by_the_next_sweep(self) -> None:
        account = an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        reopened(closed(account), on=TODAY)
        assert delivered(bodies=queue.take()) == []
        assert statuses_of(account) == [(TODAY, "SKIPPED")]
        run = billed(as_of=TODAY)
        assert sorted(status for _, status in statuses_of(account)) == ["PAID", "SKIPPED"]
        assert Entry.objects.filter(type="charge").count() == 1
        assert reconciliation_of(run=run, now=at(TODAY + datetime.timedelta(days=1))).clean

    def test_keeps_a_first_charge_that_is_still_ahead(self) -> None:
        account = closed(an_account(plan=a_plan(trial_days=14)))
        account = reopened(account, on=JAN_10)
        assert (account.anchor_date, account.rebilling_date) == (datetime.date(2026, 1, 15), datetime.date(2026, 1, 15))

    def test_imported_as_inactive_is_anchored_again(self) -> None:
        account = an_account(anchor_date=datetime.date(2020, 5, 20))
        Account.objects.update(status="INACTIVE", inactive_reason="imported")
        account = reopened(account, on=JAN_10)
        assert (account.status, account.anchor_date, account.rebilling_date) == ("PENDING", JAN_10, JAN_10)

    def test_refuses_an_account_that_is_not_inactive(self) -> None:
        account = an_account()
        with pytest.raises(UnableToReopen):
            reopened(account, on=JAN_10)
        account.refresh_from_db()
        assert account.rebilling_date == TODAY

    def test_a_parked_period_of_before_does_not_block_it(self) -> None:
        account = an_account(plan=a_plan(interval_unit="day"), rebilling_date=TODAY)
        march = datetime.date(2026, 3, 1)
        billed(as_of=march)
        assert statuses_of(account) == [(TODAY, "PARKED")]
        reopened(closed(account, on=march), on=march)
        billed(as_of=march)
        assert statuses_of(account) == [(TODAY, "SKIPPED"), (march, "PAID")]
        assert Rebilling.objects.get(status="SKIPPED").reason == "account_inactive"
