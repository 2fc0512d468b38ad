"""Retries: on which days a declined charge is tried again, for how much, and what becomes of the account."""

import datetime
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import TestCase

from accounts.models import Account, StatusChange
from ledger.balances import balance
from ledger.models import Entry
from payments.gateways.port import Declined, Unknown
from payments.models import Payment
from payments.submission import new_payment
from rebilling.adjustments import grant_credit, reverse_entry
from rebilling.dunning import next_retry, retry_payment
from rebilling.messages.message import Message, PeriodKey, to_json
from rebilling.models import Rebilling, Run
from rebilling.offline_payments import record_offline_payment
from rebilling.run_review import release_run
from rebilling.write_offs import write_off
from subscriptions.lifecycle import close_account, reopen_account
from tests.builders import (
    NOW,
    TODAY,
    QueueInHand,
    ScriptedGateway,
    a_message,
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

SOFT = Declined(code="insufficient_funds")
HARD = Declined(code="stolen_card", hard=True)
DAY = datetime.timedelta(days=1)

pytestmark = rolled_back


def day(number: int) -> datetime.date:
    """So many days after the first decline."""
    return TODAY + number * DAY


@pytest.fixture
def account() -> Account:
    """Declined today, softly."""
    account = an_account()
    billed(as_of=TODAY, gateway=ScriptedGateway(SOFT))
    return account


def attempts() -> list[tuple[datetime.date, str, int]]:
    payments = Payment.objects.order_by("id").values_list("submitted_at", "status", "amount_minor")
    return [(submitted_at.date(), status, amount) for submitted_at, status, amount in payments]


def status_of(account: Account) -> tuple[str, str]:
    account.refresh_from_db()
    return account.status, account.inactive_reason


class TestNextRetry:
    @pytest.mark.parametrize(
        ("as_of", "expected"), [(0, 1), (1, 3), (2, 3), (3, 5), (4, 5), (5, 7), (6, 7), (7, None), (30, None)]
    )
    def test_is_the_next_day_of_the_schedule(self, as_of: int, expected: int | None) -> None:
        found = next_retry(first_declined_on=TODAY, as_of=day(as_of))
        assert found == (None if expected is None else day(expected))

    @pytest.mark.parametrize("days", [[3, 1], [0, 1], [1, 1]])
    def test_has_a_schedule_that_ascends(self, settings: Any, days: list[int]) -> None:
        settings.PAYMENT_RETRY_DAYS = days
        assert [error.id for error in run_checks()] == ["payments.E002"]


class TestRetries:
    def test_are_made_on_the_days_of_the_schedule_and_on_no_other(self, account: Account) -> None:
        for number in range(1, 12):
            billed(as_of=day(number), gateway=ScriptedGateway(SOFT))
        assert attempts() == [(day(number), "DECLINED", 1999) for number in (0, 1, 3, 5, 7)]

    def test_end_when_one_is_paid(self, account: Account) -> None:
        billed(as_of=day(1), gateway=ScriptedGateway(SOFT))
        for number in range(2, 9):
            billed(as_of=day(number))
        assert attempts() == [(day(0), "DECLINED", 1999), (day(1), "DECLINED", 1999), (day(3), "SUCCEEDED", 1999)]
        assert status_of(account) == ("ACTIVE", "")
        assert balance(account_id=account.id) == 0

    def test_exhausted_make_the_account_inactive_with_its_debt_open(self, account: Account) -> None:
        for number in range(1, 8):
            assert status_of(account) == ("PAST_DUE", "")
            billed(as_of=day(number), gateway=ScriptedGateway(SOFT))
        assert status_of(account) == ("INACTIVE", "unpaid")
        rebilling = Rebilling.objects.get()
        assert (rebilling.status, rebilling.retry_on, rebilling.outstanding_minor) == ("UNPAID", None, 1999)
        assert balance(account_id=account.id) == 1999
        changes = StatusChange.objects.order_by("id").values_list("from_status", "to_status", "reason", "author")
        assert list(changes)[1:] == [
            ("PENDING", "PAST_DUE", "a charge is unpaid", "system:rebilling"),
            ("PAST_DUE", "INACTIVE", "retries exhausted", "system:rebilling"),
        ]
        billed(as_of=TODAY.replace(month=2))
        assert Payment.objects.count() == 5

    def test_are_none_after_a_hard_decline(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(HARD))
        assert status_of(account) == ("INACTIVE", "unpaid")
        for number in range(1, 9):
            billed(as_of=day(number))
        assert attempts() == [(TODAY, "DECLINED", 1999)]

    def test_end_with_a_hard_decline(self, account: Account) -> None:
        billed(as_of=day(1), gateway=ScriptedGateway(HARD))
        billed(as_of=day(3))
        assert len(attempts()) == 2
        assert status_of(account) == ("INACTIVE", "unpaid")

    def test_collect_what_is_owed_by_then_after_credits(self, account: Account) -> None:
        grant_credit(account_id=account.id, amount_minor=500, reason="sorry", author="test", today=TODAY, now=NOW)
        billed(as_of=day(1))
        assert attempts()[1:] == [(day(1), "SUCCEEDED", 1499)]
        assert balance(account_id=account.id) == 0

    def test_are_made_with_the_payment_method_that_the_account_has_by_then(self, account: Account) -> None:
        Account.objects.update(payment_customer="cus_1", payment_method="pm_new")
        gateway = ScriptedGateway()
        billed(as_of=day(1), gateway=gateway)
        assert [(request.customer, request.payment_method) for request in gateway.requests] == [("cus_1", "pm_new")]

    def test_of_a_charge_that_was_paid_meanwhile_are_none(self, account: Account) -> None:
        record_offline_payment(
            account_id=account.id,
            amount_minor=1999,
            reference="SEPA",
            reason="transfer",
            author="test",
            today=TODAY,
            now=NOW,
        )
        billed(as_of=day(1))
        assert Payment.objects.filter(gateway="scripted").count() == 1

    def test_of_a_charge_that_was_written_off_or_reversed_are_none(self, account: Account) -> None:
        other = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(SOFT))
        said: dict[str, Any] = {"reason": "sorry", "author": "test", "today": TODAY, "now": NOW}
        write_off(account_id=account.id, **said)
        reverse_entry(entry_id=Entry.objects.get(account=other, type="charge").id, **said)
        billed(as_of=day(1))
        assert len(attempts()) == 2

    def test_go_on_when_the_account_is_closed(self, account: Account) -> None:
        close_account(account_id=account.id, reason="left", author="test", now=NOW)
        billed(as_of=day(1))
        assert attempts()[1:] == [(day(1), "SUCCEEDED", 1999)]
        assert status_of(account) == ("INACTIVE", "closed")

    def test_missed_are_made_once_and_the_schedule_goes_on(self, account: Account) -> None:
        for number in (6, 7, 8):
            billed(as_of=day(number), gateway=ScriptedGateway(SOFT))
        assert [submitted for submitted, *_ in attempts()] == [day(0), day(6), day(7)]

    def test_do_not_keep_new_periods_from_being_charged(self, settings: Any) -> None:
        settings.PAYMENT_RETRY_DAYS = [5, 40]
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(SOFT))
        billed(as_of=TODAY.replace(month=2), gateway=ScriptedGateway(SOFT, SOFT))
        assert list(account.rebillings.order_by("period_start").values_list("status", flat=True)) == ["UNPAID"] * 2
        assert status_of(account) == ("PAST_DUE", "")
        assert len(attempts()) == 3

    def test_of_an_unknown_outcome_wait_until_it_is_known(self, account: Account) -> None:
        billed(as_of=day(1), gateway=ScriptedGateway(Unknown(reason="timed out")))
        billed(as_of=day(3), gateway=ScriptedGateway(found=[Unknown(reason="timed out")]))
        assert [status for _, status, _ in attempts()] == ["DECLINED", "UNKNOWN"]
        # Found declined on the fourth day, it goes on with the fifth.
        billed(as_of=day(4), gateway=ScriptedGateway(found=[SOFT]))
        assert Rebilling.objects.get().retry_on == day(5)

    def test_begin_with_the_next_sweep_where_credit_was_taken_back(self) -> None:
        account = an_account()
        said: dict[str, Any] = {"reason": "sorry", "author": "test", "today": TODAY, "now": NOW}
        credit = grant_credit(account_id=account.id, amount_minor=1999, **said)
        billed(as_of=TODAY)
        reverse_entry(entry_id=credit.id, **said)
        billed(as_of=day(1))
        assert attempts() == [(day(1), "SUCCEEDED", 1999)]
        assert status_of(account) == ("ACTIVE", "")

    def test_exhausted_skip_what_is_parked_of_the_account(self, account: Account) -> None:
        for number in range(1, 7):
            billed(as_of=day(number), gateway=ScriptedGateway(SOFT))
        february = TODAY.replace(month=2)
        run = Run.objects.latest("id")
        Rebilling.objects.create(
            run=run,
            account=account,
            period_start=february,
            period_end=february.replace(month=3),
            status="PARKED",
            reason="charge_refused",
            quantity=1,
            amount_minor=1999,
            currency="USD",
            due_since=NOW,
        )
        billed(as_of=day(7), gateway=ScriptedGateway(SOFT))
        assert status_of(account) == ("INACTIVE", "unpaid")
        assert list(account.rebillings.order_by("id").values_list("status", flat=True)) == ["UNPAID", "SKIPPED"]

    def test_exhausted_skip_what_is_due_of_the_account(self, account: Account) -> None:
        """The next period is on its way when the last retry is declined."""
        queue, february = QueueInHand(), TODAY.replace(month=2)
        Rebilling.objects.update(retry_on=february)
        swept(as_of=february, queue=queue)
        due, retry = queue.take()
        assert delivered(bodies=[retry], today=february, gateway=ScriptedGateway(SOFT)) == []
        assert status_of(account) == ("INACTIVE", "unpaid")
        assert delivered(bodies=[due], today=february) == []
        skipped = account.rebillings.get(period_start=february)
        assert (skipped.status, skipped.reason) == ("SKIPPED", "account_inactive")
        reopen_account(account_id=account.id, reason="paid", author="test", today=february, now=at(february))
        assert status_of(account) == ("PAST_DUE", "")


class TestAnAttemptByAPerson:
    """By `retry_payment`, between the dates of the schedule or when they are spent."""

    def tried(self, account: Account, *, on: datetime.date, gateway: ScriptedGateway) -> None:
        declined = account.payments.filter(status="DECLINED").latest("id")
        payment = retry_payment(payment_id=declined.id, gateway="scripted", now=at(on))
        run = Run.objects.latest("id")
        body = to_json(Message(run_id=run.id, as_of=run.as_of, payments=(payment.id,)))
        assert delivered(bodies=[body], today=on, gateway=gateway) == []

    def test_declined_leaves_the_schedule_as_it_was(self, account: Account) -> None:
        billed(as_of=day(1), gateway=ScriptedGateway(SOFT))
        self.tried(account, on=day(2), gateway=ScriptedGateway(SOFT))
        assert Rebilling.objects.get().retry_on == day(3)

    def test_declined_after_the_last_retry_leaves_a_reopened_account_open(self, account: Account) -> None:
        for number in range(1, 8):
            billed(as_of=day(number), gateway=ScriptedGateway(SOFT))
        reopen_account(account_id=account.id, reason="promised", author="test", today=day(8), now=at(day(8)))
        for answer in (SOFT, HARD):
            self.tried(account, on=day(9), gateway=ScriptedGateway(answer))
            assert status_of(account) == ("PAST_DUE", "")
            assert Rebilling.objects.get().retry_on is None

    def test_declined_hard_ends_the_schedule(self, account: Account) -> None:
        self.tried(account, on=TODAY, gateway=ScriptedGateway(HARD))
        assert status_of(account) == ("INACTIVE", "unpaid")

    def test_paid_ends_it(self, account: Account) -> None:
        self.tried(account, on=TODAY, gateway=ScriptedGateway())
        rebilling = Rebilling.objects.get()
        assert (rebilling.status, rebilling.retry_on) == ("PAID", None)
        assert status_of(account) == ("ACTIVE", "")


class TestAChargeOwedAgain:
    said: dict[str, Any] = {"reason": "looked into", "author": "test", "today": TODAY, "now": NOW}

    def test_a_part_of_what_is_unpaid_brings_no_attempt_forward(self, account: Account) -> None:
        credit = grant_credit(account_id=account.id, amount_minor=500, **self.said)
        reverse_entry(entry_id=credit.id, **self.said)
        assert Rebilling.objects.get().retry_on == day(1)

    def test_a_part_of_it_after_a_hard_decline_is_not_tried(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(HARD))
        credit = grant_credit(account_id=account.id, amount_minor=500, **self.said)
        reverse_entry(entry_id=credit.id, **self.said)
        billed(as_of=day(1))
        assert attempts() == [(TODAY, "DECLINED", 1999)]

    def test_starts_a_new_schedule(self, account: Account) -> None:
        """Declined, paid by credit, and owed again three weeks later: one more decline isn't the last."""
        credit = grant_credit(account_id=account.id, amount_minor=1999, **self.said)
        later = {"reason": "by mistake", "author": "test", "today": day(20), "now": at(day(20))}
        reverse_entry(entry_id=credit.id, **later)  # type: ignore[arg-type]
        billed(as_of=day(20), gateway=ScriptedGateway(SOFT))
        assert status_of(account) == ("PAST_DUE", "")
        assert Rebilling.objects.get().retry_on == day(21)


class TestRetryMessages:
    def test_delivered_ten_times_make_one_attempt(self, account: Account) -> None:
        queue, gateway = QueueInHand(), ScriptedGateway()
        swept(as_of=day(1), queue=queue)
        (body,) = queue.take()
        for _ in range(10):
            assert delivered(bodies=[body], today=day(1), gateway=gateway) == []
        assert len(gateway.requests) == 1

    def test_lost_are_sent_again_within_the_hour(self, account: Account) -> None:
        swept(as_of=day(1), queue=QueueInHand())
        queue = QueueInHand()
        assert sent_again(queue=queue, now=at(day(1)) + datetime.timedelta(minutes=14)) == 0
        assert sent_again(queue=queue, now=at(day(1)) + datetime.timedelta(minutes=16)) == 1
        assert delivered(bodies=queue.take(), today=day(1)) == []
        assert attempts()[1:] == [(day(1), "SUCCEEDED", 1999)]

    def test_of_a_future_date_do_not_bring_it_forward(self, account: Account) -> None:
        run = Run.objects.latest("id")
        run.as_of = day(5)
        assert delivered(bodies=[a_message(run=run, keys=[PeriodKey(account.id, TODAY)])], today=TODAY) == []
        assert len(attempts()) == 1

    def test_go_on_although_a_charge_among_them_was_made_before_its_first_day(self) -> None:
        """Nothing is charged early any more; one that was, and was declined, keeps no other from being tried."""
        accounts = [an_account(today=TODAY, now=NOW) for _ in range(4)]
        billed(as_of=TODAY, gateway=ScriptedGateway(*[SOFT] * 4))
        early = Rebilling.objects.filter(account=accounts[0])
        early.update(period_start=day(300), period_end=day(331))
        billed(as_of=day(1))
        assert [status for _, status, _ in attempts()] == ["DECLINED"] * 4 + ["SUCCEEDED"] * 4

    def test_go_on_although_the_database_refuses_one_of_them(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        accounts = [an_account() for _ in range(4)]
        billed(as_of=TODAY, gateway=ScriptedGateway(*[SOFT] * 4))
        broken = Rebilling.objects.get(account=accounts[2])

        def refusing(**arguments: Any) -> Payment:
            made = new_payment(**arguments)
            made.amount_minor *= -1 if made.charge_id == broken.charge_id else 1
            return made

        monkeypatch.setattr("rebilling.dunning.new_payment", refusing)
        billed(as_of=day(1))
        assert [status for _, status, _ in attempts()] == ["DECLINED"] * 4 + ["SUCCEEDED"] * 3
        assert [statuses_of(account)[0][1] for account in accounts] == ["PAID", "PAID", "UNPAID", "PAID"]
        (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
        assert (record.event, record.rebilling, record.reason) == (  # type: ignore[attr-defined]
            "retry.refused",
            str(broken.id),
            "IntegrityError: payment_amount_positive",
        )

    def test_of_a_held_run_are_not_sent(self, account: Account, settings: Any) -> None:
        settings.VOLUME_CHECK_FIRST_PERIODS = 1
        for _ in range(2):
            an_account(plan=None, today=day(1))
        settings.VOLUME_CHECK_SMALL_RUN, settings.VOLUME_CHECK_MULTIPLE = 1, 1
        queue = QueueInHand()
        assert swept(as_of=day(1), queue=queue).status == "HELD"
        assert queue.bodies == []
        assert Rebilling.objects.get(account=account).retry_on == day(1)

    def test_of_a_run_that_is_released_are_sent_with_it(self, account: Account, settings: Any) -> None:
        for _ in range(2):
            an_account(plan=None, today=day(1))
        settings.VOLUME_CHECK_SMALL_RUN, settings.VOLUME_CHECK_MULTIPLE = 1, 1
        run, queue, now = swept(as_of=day(1), queue=QueueInHand()), QueueInHand(), at(day(1))
        assert run.held_because.startswith("3 periods are due (1 of them retries), more than 1")
        with TestCase.captureOnCommitCallbacks(execute=True):
            release_run(run_id=run.id, reason="right", author="t", now=now, queue=queue)
        assert delivered(bodies=queue.take(), today=day(1)) == []
        assert attempts()[1:] == [(day(1), "SUCCEEDED", 1999)] * 3


class TestRetriesInTheVolumeCheck:
    """Credits that are reversed make charges of long ago unpaid: that many cards aren't charged unweighed."""

    def _reversed(self, settings: Any, count: int) -> None:
        settings.VOLUME_CHECK_SMALL_RUN = 10
        credits = []
        for _ in range(count):
            account = an_account(plan=a_plan(interval_unit="year"))
            grant = grant_credit(
                account_id=account.id, amount_minor=1999, reason="sorry", author="t", today=TODAY, now=NOW
            )
            credits.append(grant.id)
        billed(as_of=TODAY)
        for number in range(1, 36):
            an_account(today=day(number), plan=a_plan(interval_unit="year"))
            billed(as_of=day(number))
        billed(as_of=day(40))
        for id_ in credits:
            reverse_entry(entry_id=id_, reason="a mistake", author="t", today=day(40), now=at(day(40)))

    def test_waits_for_the_next_days_sweep_and_is_held_for_what_it_is(self, settings: Any) -> None:
        self._reversed(settings, 60)
        taken, queue = Payment.objects.count(), QueueInHand()
        # Not by the hourly check of the same day, which weighs nothing.
        assert sent_again(queue=queue, now=at(day(40)) + datetime.timedelta(hours=3)) == 0
        run = swept(as_of=day(41), queue=queue)
        assert run.status == "HELD"
        assert run.held_because.startswith(
            "60 periods are due (60 of them retries), more than 3 (3 times the largest run of 35 days, "
        )
        assert sent_again(queue=queue, now=at(day(41)) + datetime.timedelta(hours=3)) == 0
        assert (queue.bodies, Payment.objects.count()) == ([], taken)

    def test_is_collected_where_it_is_few(self, settings: Any) -> None:
        self._reversed(settings, 3)
        taken = Payment.objects.count()
        assert billed(as_of=day(41)).status == "OPEN"
        assert Payment.objects.count() == taken + 3
