"""Closing and reopening, with periods due, parked, charged, credited, refunded or written off.

Reopening follows one rule: a running period that is paid for and not given back, or still owed, goes on; otherwise a
new one begins that day, and what is left of the old one is cut off.
"""

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from accounts.account_opening import ExternalReferenceTaken
from accounts.locked_accounts import UnknownAccount
from accounts.models import Account, AccountChange
from accounts.reasons import InvalidReason
from invoices.credit_notes import issue_credit_note
from invoices.models import Invoice
from invoices.write_offs import write_off_invoice
from ledger.models import Entry
from payments.models import Payment
from rebilling.models import Rebilling, Run
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
from tests.support.owing import DECLINED, FEB_1, HARD, owing, received, rows, state_of
from tests.support.refunds import refunded
from tests.support.terms import pay

JAN_10, JAN_20, FEB_5, FEB_10 = (datetime.date(2026, *day) for day in ((1, 10), (1, 20), (2, 5), (2, 10)))
DAY = datetime.timedelta(days=1)

pytestmark = rolled_back


def closed(account: Account, *, on: datetime.date = TODAY) -> Account:
    return close_account(account_id=account.id, reason="moved away", author="test", today=on, now=at(on)).account


def reopened(account: Account, *, on: datetime.date) -> Account:
    """As it was reopened. Where a period begins, what is billed for it is collected, as when that is committed."""
    answer = reopen_account(account_id=account.id, reason="came back", author="test", today=on, now=at(on)).account
    pay(account, on=on)
    return answer


def paid(**terms: Any) -> Account:
    """1,999 for January, paid."""
    account = an_account(**terms)
    billed(as_of=TODAY)
    return account


def newest_invoice(account: Account) -> Invoice:
    return Invoice.objects.filter(account=account).latest("id")


def credited(account: Account, amount_minor: int | None = None, *, on: datetime.date = JAN_10) -> None:
    issue_credit_note(
        invoice_id=newest_invoice(account).id,
        amount_minor=amount_minor,
        reason="goodwill",
        author="test",
        today=on,
        now=at(on),
    )


def written_off(account: Account, *, on: datetime.date = JAN_10) -> None:
    write_off_invoice(invoice_id=newest_invoice(account).id, reason="insolvent", author="test", today=on, now=at(on))


def dates(account: Account) -> tuple[str, datetime.date, datetime.date]:
    account.refresh_from_db()
    return account.status, account.anchor_date, account.rebilling_date


def periods(account: Account) -> list[tuple[datetime.date, datetime.date, str]]:
    """First day, the day after the last, and status, in order."""
    found = account.rebillings.order_by("period_start", "id")
    return list(found.values_list("period_start", "ended_on", "status"))


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
        assert (Entry.objects.count(), Invoice.objects.count()) == (0, 0)
        change = AccountChange.objects.latest("id")
        assert (change.reason, change.author, change.changed_at) == ("moved away", "test", NOW)
        assert change.before == {"status": "PENDING", "inactive_reason": None}
        assert change.after == {"status": "INACTIVE", "inactive_reason": "closed"}

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
        assert (statuses_of(account), rows(account)) == ([(TODAY, "CHARGED")], [("PAID", 0, 1999)])
        account.refresh_from_db()
        assert (account.status, account.inactive_reason) == ("INACTIVE", "closed")

    def test_what_it_owes_is_still_dunned(self, settings: Any) -> None:
        settings.DUNNING_DAYS = [1, 3]
        account = owing()
        closed(account)
        billed(as_of=TODAY + DAY)
        assert rows(account) == [("PAID", 0, 1999)]
        account.refresh_from_db()
        assert (account.status, account.inactive_reason) == ("INACTIVE", "closed")

    def test_of_an_unpaid_account_makes_it_closed(self, settings: Any) -> None:
        settings.DUNNING_DAYS = [1]
        account = owing()
        billed(as_of=TODAY + DAY, gateway=ScriptedGateway(DECLINED))
        account.refresh_from_db()
        assert (account.status, account.inactive_reason) == ("INACTIVE", "unpaid")
        assert closed(account, on=TODAY + DAY).inactive_reason == "closed"

    def test_refuses_a_second_time_and_changes_nothing(self) -> None:
        account = closed(an_account())
        with pytest.raises(UnableToClose):
            closed(account)
        assert AccountChange.objects.count() == 2

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
        with pytest.raises(InvalidReason):
            close_account(account_id=account.id, reason=reason, author="test", today=TODAY, now=NOW)
        account.refresh_from_db()
        assert (account.status, AccountChange.objects.count()) == ("PENDING", 1)

    def test_refuses_an_unknown_account(self) -> None:
        with pytest.raises(UnknownAccount):
            close_account(account_id=a_plan().id, reason="gone", author="test", today=TODAY, now=NOW)


class TestARunningPeriod:
    """January runs; the account is closed and reopened on the 10th."""

    @staticmethod
    def reopened(account: Account) -> Account:
        closed(account, on=JAN_10)
        return reopened(account, on=JAN_10)

    def assert_goes_on(self, account: Account, *, status: str) -> None:
        self.reopened(account)
        assert dates(account) == (status, TODAY, FEB_1)
        assert periods(account) == [(TODAY, FEB_1, "CHARGED")]
        assert account.terms.count() == 1
        billed(as_of=JAN_20)
        assert periods(account) == [(TODAY, FEB_1, "CHARGED")]

    def assert_begins_anew(self, account: Account, *, old: tuple[datetime.date, str], status: str) -> None:
        """What is left of January, and then a period from the 10th, which is billed at once."""
        ended_on, old_status = old
        assert self.reopened(account).status == status
        assert dates(account) == ("ACTIVE", JAN_10, FEB_10)
        terms = account.terms.latest("id")
        assert (terms.effective_from, terms.anchor_date, terms.reason) == (JAN_10, JAN_10, "came back")
        assert periods(account) == [(TODAY, ended_on, old_status), (JAN_10, FEB_10, "CHARGED")]
        for run in (billed(as_of=JAN_10), Run.objects.get(kind="on_demand")):
            assert reconciliation_of(run=run, now=at(JAN_10) + 2 * DAY).clean
        billed(as_of=FEB_1)
        assert account.rebillings.count() == 2

    def test_that_is_paid_goes_on(self) -> None:
        self.assert_goes_on(paid(), status="ACTIVE")

    def test_that_is_free_goes_on(self) -> None:
        self.assert_goes_on(paid(unit_amount_minor=0), status="ACTIVE")

    def test_that_is_owed_goes_on_and_is_dunned_anew(self, settings: Any) -> None:
        settings.DUNNING_DAYS = [1, 3, 5]
        account = owing()
        billed(as_of=TODAY + DAY, gateway=ScriptedGateway(DECLINED))
        account.refresh_from_db()
        assert (account.dunning_steps, account.dunning_on) == (1, TODAY + 3 * DAY)
        closed(account, on=JAN_10)
        reopened(account, on=JAN_10)
        assert dates(account) == ("PAST_DUE", TODAY, FEB_1)
        assert (account.dunning_steps, account.dunning_on) == (0, JAN_10 + DAY)
        assert periods(account) == [(TODAY, FEB_1, "CHARGED")]
        billed(as_of=JAN_10 + DAY)
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_that_was_sent_and_is_not_due_yet_goes_on(self) -> None:
        self.assert_goes_on(paid(collection_method="send_invoice", net_days=30), status="ACTIVE")

    def test_that_was_sent_and_is_past_due_goes_on(self) -> None:
        self.assert_goes_on(paid(collection_method="send_invoice", net_days=5), status="PAST_DUE")

    def test_that_was_refunded_in_part_goes_on(self) -> None:
        account = paid()
        refunded(account.payments.get(), 1000)
        self.assert_goes_on(account, status="ACTIVE")

    def test_that_was_credited_in_part_goes_on(self) -> None:
        account = paid()
        credited(account, 1000)
        self.assert_goes_on(account, status="ACTIVE")
        # What was credited pays the next period.
        billed(as_of=FEB_1)
        assert rows(account) == [("PAID", 0, 1999), ("PAID", 1000, 999)]

    def test_that_was_refunded_in_full_is_over(self) -> None:
        account = paid()
        refunded(account.payments.get(), 1999)
        self.assert_begins_anew(account, old=(FEB_1, "VOIDED"), status="ACTIVE")

    def test_that_was_credited_in_full_is_over(self) -> None:
        account = paid()
        credited(account)
        self.assert_begins_anew(account, old=(FEB_1, "VOIDED"), status="ACTIVE")
        # The credit of the old period pays the new one.
        assert rows(account) == [("PAID", 0, 1999), ("PAID", 1999, 0)]

    def test_that_was_credited_in_full_before_it_was_paid_is_over(self) -> None:
        account = owing()
        credited(account)
        self.assert_begins_anew(account, old=(FEB_1, "VOIDED"), status="PENDING")

    def test_that_was_written_off_is_cut_off(self) -> None:
        account = owing()
        written_off(account)
        self.assert_begins_anew(account, old=(JAN_10, "CHARGED"), status="PENDING")
        assert [row[0] for row in rows(account)] == ["UNCOLLECTIBLE", "PAID"]


class TestOnTheFirstDayOfAPeriod:
    @pytest.mark.parametrize("give_up", [credited, written_off])
    def test_that_is_given_up_the_period_is_voided_and_begins_anew(self, give_up: Callable[..., None]) -> None:
        account = owing()
        give_up(account, on=TODAY)
        closed(account)
        assert reopened(account, on=TODAY).status == "PENDING"
        billed(as_of=TODAY)
        assert dates(account) == ("ACTIVE", TODAY, FEB_1)
        assert [(start, status) for start, _, status in periods(account)] == [(TODAY, "VOIDED"), (TODAY, "CHARGED")]
        assert newest_invoice(account).status == "PAID"


class TestAPeriodThatIsOver:
    def test_is_followed_by_one_from_the_day_of_reopening(self) -> None:
        account = paid()
        closed(account, on=JAN_10)
        reopened(account, on=FEB_5)
        assert dates(account) == ("ACTIVE", FEB_5, datetime.date(2026, 3, 5))
        run = billed(as_of=FEB_5)
        # The days between are not billed.
        assert periods(account) == [(TODAY, FEB_1, "CHARGED"), (FEB_5, datetime.date(2026, 3, 5), "CHARGED")]
        assert reconciliation_of(run=run, now=at(FEB_5) + 2 * DAY).clean
        assert Payment.objects.count() == 2

    def test_is_not_billed_again_by_two_reopenings(self) -> None:
        """Paid for until 5 March, closed and reopened twice: it is charged once."""
        account = paid()
        closed(account, on=JAN_10)
        reopened(account, on=FEB_5)
        billed(as_of=FEB_5)
        for _ in range(2):
            closed(account, on=FEB_10)
            reopened(account, on=FEB_10)
            billed(as_of=FEB_10)
        assert dates(account) == ("ACTIVE", FEB_5, datetime.date(2026, 3, 5))
        assert (Payment.objects.count(), account.rebillings.count()) == (2, 2)

    def test_is_followed_by_one_on_the_very_day_it_ends(self) -> None:
        account = paid()
        closed(account, on=JAN_10)
        reopened(account, on=FEB_1)
        billed(as_of=FEB_1)
        assert periods(account) == [(TODAY, FEB_1, "CHARGED"), (FEB_1, datetime.date(2026, 3, 1), "CHARGED")]


class TestAYearlyAccount:
    def declined(self) -> Account:
        """A year that was declined hard and written off."""
        account = owing(HARD, plan=a_plan(interval_unit="year"))
        written_off(account)
        return account

    def test_written_off_gets_a_new_year_from_its_reopening_40_days_later(self) -> None:
        account, day = self.declined(), TODAY + 40 * DAY
        closed(account, on=JAN_20)
        Account.objects.update(payment_method_unusable=False)
        reopened(account, on=day)
        billed(as_of=day)
        assert periods(account) == [(TODAY, day, "CHARGED"), (day, day.replace(year=2027), "CHARGED")]
        assert [row[0] for row in rows(account)] == ["UNCOLLECTIBLE", "PAID"]

    def test_paying_for_the_year_that_was_cut_off_does_not_bring_it_back(self) -> None:
        """The old year was cut off on 10 February. Its money comes late; the new year is written off in turn."""
        account, day = self.declined(), TODAY + 40 * DAY
        closed(account, on=JAN_20)
        reopened(account, on=day)
        # Still unusable: the new year is declined, too.
        billed(as_of=day)
        old, new = Invoice.objects.order_by("id")
        received(account, 1999, invoice_id=old.id, today=day, now=at(day))
        written_off(account, on=day + DAY)
        assert [row[0] for row in rows(account)] == ["PAID", "UNCOLLECTIBLE"]
        closed(account, on=day + DAY)
        may = datetime.date(2026, 5, 1)
        reopened(account, on=may)
        assert dates(account)[1:] == (may, may.replace(year=2027))
        assert periods(account)[:2] == [(TODAY, day, "CHARGED"), (day, may, "CHARGED")]
        assert new.number.endswith("-0002")


class TestPayingUp:
    """INACTIVE (`unpaid`), owing January's 1,999. The transfer comes."""

    @pytest.fixture
    def account(self, settings: Any) -> Account:
        settings.DUNNING_DAYS = [1, 3, 5, 7]
        account = owing()
        for days in (1, 3, 5, 7):
            billed(as_of=TODAY + days * DAY, gateway=ScriptedGateway(DECLINED))
        account.refresh_from_db()
        assert (account.status, account.inactive_reason) == ("INACTIVE", "unpaid")
        return account

    def transferred(self, account: Account, amount_minor: int, *, on: datetime.date, **given: Any) -> None:
        received(account, amount_minor, today=on, now=at(on), **given)

    def test_while_january_runs_lets_it_go_on(self, account: Account) -> None:
        self.transferred(account, 1999, on=JAN_20)
        assert dates(account) == ("ACTIVE", TODAY, FEB_1)
        billed(as_of=FEB_1)
        assert rows(account) == [("PAID", 1999, 0), ("PAID", 0, 1999)]

    def test_once_january_is_over_begins_a_period_that_day(self, account: Account) -> None:
        february_20 = datetime.date(2026, 2, 20)
        billed(as_of=FEB_1)
        self.transferred(account, 1999, on=february_20, invoice_id=newest_invoice(account).id)
        assert dates(account) == ("ACTIVE", february_20, february_20)
        billed(as_of=february_20)
        assert periods(account) == [
            (TODAY, FEB_1, "CHARGED"),
            (february_20, datetime.date(2026, 3, 20), "CHARGED"),
        ]

    def test_in_part_leaves_it_inactive(self, account: Account) -> None:
        self.transferred(account, 1000, on=JAN_20)
        account.refresh_from_db()
        assert (account.status, account.inactive_reason, account.anchor_date) == ("INACTIVE", "unpaid", TODAY)
        assert state_of(account) == ("INACTIVE", 999, 0)

    def test_but_for_what_is_too_small_to_collect_is_enough(self, account: Account, settings: Any) -> None:
        settings.MIN_COLLECTED_MINOR = {"USD": 50}
        self.transferred(account, 1998, on=JAN_20)
        assert state_of(account) == ("ACTIVE", 0, -1)

    @pytest.mark.parametrize("give_up", [credited, written_off])
    def test_is_not_done_by_giving_up(self, account: Account, give_up: Callable[..., None]) -> None:
        give_up(account, on=JAN_20)
        account.refresh_from_db()
        assert (account.status, account.inactive_reason) == ("INACTIVE", "unpaid")
        assert state_of(account)[1:] == (0, 0)


class TestReopenAccount:
    def test_is_pending_when_it_never_paid(self) -> None:
        account = closed(an_account())
        assert reopened(account, on=JAN_10).status == "PENDING"
        assert dates(account) == ("ACTIVE", JAN_10, FEB_10)

    def test_closed_and_reopened_with_its_batch_in_flight_is_charged_once(self) -> None:
        account = an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        reopened(closed(account), on=TODAY)
        assert delivered(bodies=queue.take()) == []
        assert sorted(status for _, status in statuses_of(account)) == ["CHARGED", "SKIPPED"]
        run = billed(as_of=TODAY)
        assert sorted(status for _, status in statuses_of(account)) == ["CHARGED", "SKIPPED"]
        assert Entry.objects.filter(type="charge").count() == 1
        assert reconciliation_of(run=run, now=at(TODAY + DAY)).clean

    def test_keeps_a_first_charge_that_is_still_ahead(self) -> None:
        account = closed(an_account(plan=a_plan(trial_days=14)))
        reopened(account, on=JAN_10)
        assert dates(account)[1:] == (datetime.date(2026, 1, 15), datetime.date(2026, 1, 15))

    def test_after_its_trial_is_billed_from_that_day(self) -> None:
        account = closed(an_account(plan=a_plan(trial_days=14)))
        reopened(account, on=JAN_20)
        assert dates(account)[1:] == (JAN_20, datetime.date(2026, 2, 20))

    def test_imported_as_inactive_is_anchored_again(self) -> None:
        account = an_account(anchor_date=datetime.date(2020, 5, 20))
        Account.objects.update(status="INACTIVE", inactive_reason="imported")
        assert reopened(account, on=JAN_10).status == "PENDING"
        assert dates(account)[1:] == (JAN_10, FEB_10)

    def test_writes_history(self) -> None:
        account = closed(paid(), on=JAN_10)
        reopened(account, on=JAN_10)
        change = AccountChange.objects.latest("id")
        assert (change.reason, change.author, change.changed_at) == ("came back", "test", at(JAN_10))
        assert change.before == {"status": "INACTIVE", "inactive_reason": "closed"}
        assert change.after == {"status": "ACTIVE", "inactive_reason": None}

    def test_refuses_an_account_that_is_not_inactive(self) -> None:
        account = an_account()
        with pytest.raises(UnableToReopen):
            reopened(account, on=JAN_10)
        assert dates(account) == ("PENDING", TODAY, TODAY)

    def test_refuses_a_reference_that_another_account_has_by_now(self) -> None:
        account = closed(an_account(external_reference="E1"))
        an_account(external_reference="E1")
        with pytest.raises(ExternalReferenceTaken):
            reopened(account, on=JAN_10)
        assert dates(account) == ("INACTIVE", TODAY, TODAY)
        assert account.terms.count() == 1

    def test_a_parked_period_of_before_does_not_block_it(self) -> None:
        account = an_account(plan=a_plan(interval_unit="day"), rebilling_date=TODAY)
        march = datetime.date(2026, 3, 1)
        billed(as_of=march)
        assert statuses_of(account) == [(TODAY, "PARKED")]
        reopened(closed(account, on=march), on=march)
        billed(as_of=march)
        assert statuses_of(account) == [(TODAY, "SKIPPED"), (march, "CHARGED")]
        assert Rebilling.objects.get(status="SKIPPED").reason == "account_inactive"
