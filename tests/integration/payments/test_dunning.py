"""Dunning: on which days declined invoices are collected again, in which order, and what becomes of the account."""

import datetime
from typing import Any

import pytest

from accounts.models import Account, AccountChange
from invoices.credit_notes import issue_credit_note
from invoices.credits import grant_credit
from invoices.write_offs import write_off_invoice
from payments import dunning_steps
from payments.account_updates import update_account
from payments.dunning_steps import steps_by_currency, take_steps
from payments.gateways.port import Declined, NotAttempted, Unknown
from payments.models import Payment
from payments.payment_requests import pay_invoice
from rebilling.hourly_check import check_hourly
from subscriptions.lifecycle import close_account, reopen_account
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
    sent_again,
    swept,
    takes,
)
from tests.support.databases import rolled_back
from tests.support.owing import (
    DECLINED,
    FEB_1,
    HARD,
    answers,
    invoices_of,
    owing,
    owing_two_months,
    received,
    rows,
    state_of,
)
from tests.support.payments import collected

DAY = datetime.timedelta(days=1)
YEARLY: dict[str, Any] = {"interval_unit": "year"}
SIGNED: dict[str, Any] = {"reason": "r", "author": "t", "today": TODAY, "now": NOW}

pytestmark = rolled_back


def day(number: int) -> datetime.date:
    """So many days after the first decline."""
    return TODAY + number * DAY


def attempts() -> list[tuple[int, str, int]]:
    """Of all payments in order: the day, counted from the first decline, the status, the amount."""
    found = Payment.objects.order_by("id").values_list("submitted_at", "status", "amount_minor")
    return [((submitted.date() - TODAY).days, status, amount) for submitted, status, amount in found]


def schedule_of(account: Account) -> tuple[int, datetime.date | None]:
    account.refresh_from_db()
    return account.dunning_steps, account.dunning_on


def declined_on_days(*numbers: int, answer: Declined = DECLINED) -> None:
    for number in numbers:
        billed(as_of=day(number), gateway=answers(answer))


class TestSchedule:
    def test_makes_an_attempt_on_its_days_and_on_no_other(self) -> None:
        account = owing()
        declined_on_days(*range(1, 12))
        assert attempts() == [(number, "DECLINED", 1999) for number in (0, 1, 3, 5, 7)]
        assert state_of(account) == ("INACTIVE", 1999, 0)

    def test_ends_when_an_attempt_succeeds(self) -> None:
        account = owing()
        declined_on_days(1)
        for number in range(2, 9):
            billed(as_of=day(number))
        assert attempts() == [(0, "DECLINED", 1999), (1, "DECLINED", 1999), (3, "SUCCEEDED", 1999)]
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert schedule_of(account) == (0, None)

    def test_that_is_over_makes_the_account_inactive_with_its_debt_open(self) -> None:
        account = owing()
        for number in range(1, 8):
            assert state_of(account)[0] == "PAST_DUE"
            declined_on_days(number)
        assert state_of(account) == ("INACTIVE", 1999, 0)
        assert (account.inactive_reason, schedule_of(account)) == ("unpaid", (4, None))
        change = AccountChange.objects.filter(account=account).latest("id")
        assert (change.reason, change.author) == ("the dunning schedule is over", "system:billing")
        assert change.after == {"status": "INACTIVE", "inactive_reason": "unpaid"}
        billed(as_of=FEB_1)
        assert Payment.objects.count() == 5

    def test_is_counted_from_the_last_step_so_that_none_is_lost_while_we_are_down(self) -> None:
        """Declined on day 0, down on days 1 to 8, up on day 9: attempts on days 9, 11, 13, 15."""
        account = owing(plan=a_plan(**YEARLY))
        declined_on_days(*range(9, 16))
        assert [number for number, *_ in attempts()] == [0, 9, 11, 13, 15]
        assert state_of(account)[0] == "INACTIVE"

    def test_goes_by_the_setting(self, settings: Any) -> None:
        settings.DUNNING_DAYS = [2]
        account = owing()
        declined_on_days(1, 2, 3)
        assert [number for number, *_ in attempts()] == [0, 2]
        assert state_of(account)[0] == "INACTIVE"

    def test_without_a_day_ends_with_the_first_decline_and_touches_nobody_else(self, settings: Any) -> None:
        settings.DUNNING_DAYS = []
        account = owing()
        assert state_of(account)[0] == "INACTIVE"
        other = an_account()
        billed(as_of=TODAY)
        assert state_of(other)[0] == "ACTIVE"

    def test_days_on_which_the_gateway_takes_nothing_do_not_count(self) -> None:
        account = owing(plan=a_plan(**YEARLY))
        queue = QueueInHand()
        swept(as_of=day(1), queue=queue)
        down = ScriptedGateway(*[NotAttempted("down")] * 9)
        assert delivered(bodies=queue.take(), today=day(1), gateway=down, queue=queue) == ["0"]
        assert schedule_of(account) == (1, None)
        declined_on_days(6)
        assert schedule_of(account) == (1, day(8))
        assert state_of(account)[0] == "PAST_DUE"

    def test_waits_for_an_outcome_that_is_not_known(self) -> None:
        account = owing(plan=a_plan(**YEARLY))
        billed(as_of=day(1), gateway=ScriptedGateway(Unknown(reason="timed out")))
        billed(as_of=day(3), gateway=ScriptedGateway(found=[Unknown(reason="timed out")]))
        assert [status for _, status, _ in attempts()] == ["DECLINED", "UNKNOWN"]
        billed(as_of=day(4), gateway=ScriptedGateway(found=[DECLINED]))
        assert schedule_of(account) == (1, day(6))

    def test_of_a_closed_account_goes_on(self) -> None:
        account = owing()
        close_account(account_id=account.id, reason="left", author="t", today=TODAY, now=NOW)
        billed(as_of=day(1))
        assert attempts()[1:] == [(1, "SUCCEEDED", 1999)]
        assert (state_of(account), account.inactive_reason) == (("INACTIVE", 0, 0), "closed")

    def test_starts_anew_for_a_reopened_account_that_owes(self) -> None:
        account = owing(plan=a_plan(**YEARLY))
        declined_on_days(*range(1, 8))
        reopen_account(account_id=account.id, reason="promised", author="t", today=day(20), now=at(day(20)))
        assert (state_of(account)[0], schedule_of(account)) == ("PAST_DUE", (0, day(21)))
        declined_on_days(*range(20, 30))
        assert [number for number, *_ in attempts()][5:] == [21, 23, 25, 27]
        assert state_of(account)[0] == "INACTIVE"


class TestSeveralInvoices:
    @pytest.fixture
    def account(self) -> Account:
        """Three weekly invoices declined on one card, the last of them today."""
        account = an_account(plan=a_plan(interval_unit="week"))
        for number in (0, 7, 14):
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr("django.conf.settings.DUNNING_DAYS", [15, 17, 19, 21])
                declined_on_days(number)
        assert (state_of(account)[:2], schedule_of(account)) == (("PAST_DUE", 5997), (0, day(15)))
        return account

    def test_have_one_attempt_a_step_the_oldest_first(self, account: Account) -> None:
        before = Payment.objects.count()
        declined_on_days(15, 16, 17, 18, 19, 20)
        oldest = invoices_of(account)[0]
        tried = Payment.objects.order_by("id")[before:]
        assert {payment.invoice_id for payment in tried} == {oldest.id}
        assert [number for number, *_ in attempts()][before:] == [15, 17, 19]
        assert state_of(account)[0] == "PAST_DUE"

    def test_are_inactive_after_the_schedule_and_not_after_fifteen_declines(self, account: Account) -> None:
        declined_on_days(15, 17, 19)
        assert state_of(account)[0] == "PAST_DUE"
        # The fourth weekly invoice comes due on this day, too.
        declined_on_days(21)
        assert state_of(account)[0] == "INACTIVE"
        assert Payment.objects.filter(cause="dunning").count() == 4

    def test_are_all_tried_at_once_after_a_success(self, account: Account) -> None:
        gateway = ScriptedGateway()
        billed(as_of=day(15), gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [1999] * 3
        assert [each.invoice_id for each in Payment.objects.filter(cause="dunning").order_by("id")] == [
            invoice.id for invoice in invoices_of(account)
        ]
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert schedule_of(account) == (0, None)

    def test_stop_at_the_next_decline_which_counts_as_the_same_step(self, account: Account) -> None:
        billed(as_of=day(15), gateway=ScriptedGateway(takes, DECLINED))
        assert [status for status, *_ in rows(account)] == ["PAID", "OPEN", "OPEN"]
        assert schedule_of(account) == (1, day(17))

    def test_paid_one_after_the_other_at_the_last_step_never_make_the_account_inactive(self, account: Account) -> None:
        declined_on_days(15, 17, 19)
        queue, statuses = QueueInHand(), []
        swept(as_of=day(20), queue=queue)
        Account.objects.update(dunning_on=day(20))
        swept(as_of=day(20), queue=queue)
        while bodies := queue.take():
            assert delivered(bodies=bodies, today=day(20), queue=queue) == []
            statuses.append(state_of(account)[0])
        assert statuses == ["PAST_DUE", "PAST_DUE", "ACTIVE"]

    def test_wait_while_one_of_them_is_in_flight(self, account: Account) -> None:
        second = invoices_of(account)[1]
        pay_invoice(invoice_id=second.id, author="t", now=at(day(15)))
        gateway = ScriptedGateway()
        queue = QueueInHand()
        swept(as_of=day(15), queue=queue)
        assert delivered(bodies=queue.take(), today=day(15), gateway=gateway) == []
        assert (gateway.requests, schedule_of(account)) == ([], (0, day(15)))


class TestAHardDecline:
    def test_counts_its_steps_without_a_call(self) -> None:
        account = owing(HARD, plan=a_plan(**YEARLY))
        gateway = ScriptedGateway()
        found = []
        for number in range(1, 8):
            billed(as_of=day(number), gateway=gateway)
            found.append((state_of(account)[0], schedule_of(account)[0]))
        assert (gateway.requests, len(attempts())) == ([], 1)
        assert found == [("PAST_DUE", 1)] * 2 + [("PAST_DUE", 2)] * 2 + [("PAST_DUE", 3)] * 2 + [("INACTIVE", 4)]

    def test_with_a_new_card_on_day_two_has_an_attempt_on_day_two(self) -> None:
        """ACTIVE when it succeeds, and never INACTIVE in between."""
        account = owing(HARD, plan=a_plan(**YEARLY))
        billed(as_of=day(1))
        update_account(
            account_id=account.id,
            changes={"payment_method": "pm_new"},
            reason="r",
            author="t",
            now=at(day(2)),
        )
        account.refresh_from_db()
        assert not account.payment_method_unusable
        payment = account.payments.latest("id")
        assert (payment.cause, payment.payment_method, payment.status) == ("payment_method", "pm_new", "SUBMITTED")
        gateway = ScriptedGateway()
        collected(payment.id, gateway=gateway, day=day(2))
        assert [(request.amount_minor, request.payment_method) for request in gateway.requests] == [(1999, "pm_new")]
        assert state_of(account) == ("ACTIVE", 0, 0)
        statuses = [change.after.get("status") for change in AccountChange.objects.filter(account=account)]
        assert "INACTIVE" not in statuses

    def test_of_the_new_card_is_no_step(self) -> None:
        account = owing(HARD, plan=a_plan(**YEARLY))
        billed(as_of=day(1))
        before = schedule_of(account)
        update_account(
            account_id=account.id,
            changes={"payment_method": "pm_2"},
            reason="r",
            author="t",
            now=at(day(2)),
        )
        collected(account.payments.latest("id").id, gateway=answers(HARD), day=day(2))
        assert schedule_of(account) == before == (1, day(3))
        assert account.payment_method_unusable

    def test_issues_the_next_invoice_as_declined_without_a_call(self, settings: Any) -> None:
        settings.DUNNING_DAYS = [1, 300]
        account = owing(HARD)
        gateway = ScriptedGateway()
        for on in (day(1), FEB_1):
            billed(as_of=on, gateway=gateway)
        assert (gateway.requests, schedule_of(account)) == ([], (1, day(300)))
        assert state_of(account) == ("PAST_DUE", 3998, 0)

    def test_of_an_account_without_a_schedule_starts_one_with_its_next_invoice(self) -> None:
        account = owing(HARD)
        received(account, 1999, invoice_id=invoices_of(account)[0].id)
        assert (state_of(account)[0], schedule_of(account)) == ("ACTIVE", (0, None))
        billed(as_of=FEB_1)
        assert (state_of(account)[0], schedule_of(account)) == ("PAST_DUE", (0, FEB_1 + DAY))


class TestAnAttemptOnRequest:
    def tried(self, account: Account, *, on: datetime.date, answer: Any) -> None:
        payment = pay_invoice(invoice_id=invoices_of(account)[0].id, author="t", now=at(on))
        collected(payment.id, gateway=answers(answer), day=on)

    def test_declined_leaves_the_schedule_as_it_was(self) -> None:
        account = owing()
        declined_on_days(1)
        self.tried(account, on=day(2), answer=DECLINED)
        assert schedule_of(account) == (1, day(3))

    def test_declined_after_the_last_step_changes_nothing(self) -> None:
        account = owing(plan=a_plan(**YEARLY))
        declined_on_days(*range(1, 8))
        self.tried(account, on=day(9), answer=DECLINED)
        assert (state_of(account)[:2], schedule_of(account)) == (("INACTIVE", 1999), (4, None))

    def test_paid_ends_the_schedule(self) -> None:
        account = owing()
        payment = pay_invoice(invoice_id=invoices_of(account)[0].id, author="t", now=NOW)
        collected(payment.id)
        assert (state_of(account), schedule_of(account)) == (("ACTIVE", 0, 0), (0, None))

    def test_in_flight_while_a_step_succeeds_leaves_a_next_step(self) -> None:
        """Declined only then, it would otherwise wait for ever."""
        account = owing_two_months()
        first, second = invoices_of(account)
        Account.objects.update(dunning_on=FEB_1)
        queue = QueueInHand()
        swept(as_of=FEB_1, queue=queue)
        asked = pay_invoice(invoice_id=second.id, author="t", now=at(FEB_1))
        assert delivered(bodies=queue.take(), today=FEB_1, queue=queue) == []
        assert rows(account)[0] == ("PAID", 0, 1999)
        collected(asked.id, gateway=answers(DECLINED), day=FEB_1)
        assert (state_of(account)[:2], schedule_of(account)) == (("PAST_DUE", 1999), (1, FEB_1 + 2 * DAY))
        assert first.id != second.id

    def test_declined_while_the_last_step_is_in_flight_does_not_end_the_schedule(self) -> None:
        account = owing_two_months()
        Account.objects.update(dunning_on=FEB_1 + DAY, dunning_steps=3)
        queue = QueueInHand()
        swept(as_of=FEB_1 + DAY, queue=queue)
        asked = pay_invoice(invoice_id=invoices_of(account)[1].id, author="t", now=at(FEB_1 + DAY))
        collected(asked.id, gateway=answers(DECLINED), day=FEB_1 + DAY)
        assert (state_of(account)[0], schedule_of(account)) == ("PAST_DUE", (4, None))
        assert delivered(bodies=queue.take(), today=FEB_1 + DAY, gateway=answers(DECLINED)) == []
        assert state_of(account)[0] == "INACTIVE"


class TestWhatIsCollected:
    def test_is_what_is_outstanding_by_then(self) -> None:
        account = owing()
        grant_credit(account_id=account.id, amount_minor=500, **SIGNED)
        billed(as_of=day(1))
        assert attempts()[1:] == [(1, "SUCCEEDED", 1499)]
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_is_collected_with_the_method_that_the_account_has_by_then(self) -> None:
        account = owing()
        Account.objects.filter(id=account.id).update(payment_customer="cus_1", payment_method="pm_new")
        gateway = ScriptedGateway()
        billed(as_of=day(1), gateway=gateway)
        assert [(request.customer, request.payment_method) for request in gateway.requests] == [("cus_1", "pm_new")]

    @pytest.mark.parametrize("how", ["paid", "credited", "credit_note", "written_off"])
    def test_is_nothing_of_an_invoice_that_is_closed(self, how: str) -> None:
        account = owing()
        (invoice,) = invoices_of(account)
        if how == "paid":
            received(account, 1999, invoice_id=invoice.id)
        elif how == "credited":
            grant_credit(account_id=account.id, amount_minor=1999, **SIGNED)
        elif how == "credit_note":
            issue_credit_note(invoice_id=invoice.id, **SIGNED)
        else:
            write_off_invoice(invoice_id=invoice.id, **SIGNED)
        gateway = ScriptedGateway()
        for number in range(1, 8):
            billed(as_of=day(number), gateway=gateway)
        assert (gateway.requests, schedule_of(account)) == ([], (0, None))
        assert state_of(account)[0] == "ACTIVE"

    def test_goes_on_beside_new_periods(self, settings: Any) -> None:
        settings.DUNNING_DAYS = [5, 40]
        account = owing()
        billed(as_of=FEB_1, gateway=answers(DECLINED))
        assert [status for status, *_ in rows(account)] == ["OPEN", "OPEN"]
        assert state_of(account)[0] == "PAST_DUE"
        assert len(attempts()) == 3


class TestTakeSteps:
    def test_in_batches_takes_each_accounts_step_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dunning_steps, "BATCH_ACCOUNTS", 2)
        for _ in range(5):
            an_account()
        billed(as_of=TODAY, gateway=answers(DECLINED))
        batches = list(take_steps(today=day(1), gateway="logging", now=at(day(1))))
        assert [len(batch) for batch in batches] == [2, 2, 1]
        assert list(take_steps(today=day(1), gateway="logging", now=at(day(1)))) == []
        assert Payment.objects.filter(cause="dunning", status="SUBMITTED").count() == 5

    def test_looks_again_under_the_lock(self) -> None:
        account = owing()
        assert dunning_steps.take_steps_of([account.id], today=TODAY, gateway="logging", now=NOW) == []
        assert schedule_of(account) == (0, day(1))

    def test_says_by_currency_what_they_would_collect(self) -> None:
        an_account(plan=a_plan(currency="EUR", unit_amount_minor=700))
        an_account()
        unusable = an_account(payment_customer="cus_bad")
        billed(as_of=TODAY, gateway=answers(DECLINED))
        Account.objects.filter(id=unusable.id).update(payment_method_unusable=True)
        assert steps_by_currency(today=TODAY) == []
        assert steps_by_currency(today=day(1)) == [("EUR", 1, 700), ("USD", 1, 1999)]


class TestMessages:
    def test_delivered_ten_times_make_one_attempt(self) -> None:
        owing()
        queue, gateway = QueueInHand(), ScriptedGateway()
        swept(as_of=day(1), queue=queue)
        (body,) = queue.take()
        for _ in range(10):
            assert delivered(bodies=[body], today=day(1), gateway=gateway) == []
        assert len(gateway.requests) == 1

    def test_lost_are_sent_again_within_the_hour(self) -> None:
        owing()
        swept(as_of=day(1), queue=QueueInHand())
        queue = QueueInHand()
        assert sent_again(queue=queue, now=at(day(1)) + datetime.timedelta(minutes=14)) == 0
        assert sent_again(queue=queue, now=at(day(1)) + datetime.timedelta(minutes=16)) == 1
        assert delivered(bodies=queue.take(), today=day(1)) == []
        assert attempts()[1:] == [(1, "SUCCEEDED", 1999)]
        assert check_hourly(queue=None, now=at(day(1))).failed == []

    def test_of_a_held_run_are_not_sent(self, settings: Any) -> None:
        account = owing()
        settings.VOLUME_CHECK_FIRST_PERIODS = 1
        settings.VOLUME_CHECK_SMALL_RUN, settings.VOLUME_CHECK_MULTIPLE = 1, 1
        for _ in range(2):
            an_account(today=day(1))
        queue = QueueInHand()
        assert swept(as_of=day(1), queue=queue).status == "HELD"
        assert (queue.bodies, schedule_of(account)) == ([], (0, day(1)))
