"""Charging: what is charged, what is set aside, and at what cost in statements."""

import datetime
import logging
import uuid
from typing import Any

import pytest
from django.db import DataError, OperationalError, connection
from django.test.utils import CaptureQueriesContext

from accounts.account_changes import change_account
from accounts.account_status import NewStatus, change_statuses
from accounts.models import Account
from ledger.balances import balance
from ledger.models import Entry, EntryType
from ledger.posting import Posting, post
from payments.models import Payment
from rebilling import charges as charging
from rebilling.adjustments import grant_credit
from rebilling.credit_allocation import spendable_credit
from rebilling.messages.message import PeriodKey
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.summary import reconciliation_of
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
    statuses_of,
    swept,
)
from tests.support.databases import rolled_back

DAY = datetime.timedelta(days=1)


def _statements_to_process(periods: int) -> int:
    plan = a_plan()
    for _ in range(periods):
        an_account(plan=plan)
    queue = QueueInHand()
    swept(as_of=TODAY, queue=queue)
    (body,) = queue.take()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert delivered(bodies=[body]) == []
    assert Rebilling.objects.filter(status="PAID").count() == periods
    return len(queries)


@rolled_back
class TestACleanBatch:
    def test_takes_as_many_statements_for_10_periods_as_for_500(self) -> None:
        ten = _statements_to_process(10)
        Account.objects.update(status="INACTIVE", inactive_reason="closed")
        Rebilling.objects.filter(status="PAID").update(status="VOIDED")
        assert _statements_to_process(500) == ten
        assert ten < 40

    def test_submits_each_charge_once_under_the_payments_id(self) -> None:
        account = an_account(payment_customer="cus_1", payment_method="pm_1", quantity=3)
        gateway = ScriptedGateway()
        billed(as_of=TODAY, gateway=gateway)
        payment = Payment.objects.get()
        (request,) = gateway.requests
        assert request.payment_id == payment.id
        assert (request.amount_minor, request.currency) == (5997, "USD")
        assert (request.customer, request.payment_method) == ("cus_1", "pm_1")
        assert (payment.account_id, payment.gateway) == (account.id, "scripted")
        assert payment.gateway_reference == f"taken-{payment.id}"

    def test_charges_what_was_found_due_whatever_the_quantity_is_by_then(self) -> None:
        """What is charged is what was weighed and approved; the new quantity counts from the next period."""
        account = an_account(quantity=3)
        queue = QueueInHand()
        run = swept(as_of=TODAY, queue=queue)
        change_account(account_id=account.id, changes={"quantity": 1000})
        assert delivered(bodies=queue.take()) == []
        entry, payment = Entry.objects.get(type="charge"), Payment.objects.get()
        assert (entry.amount_minor, payment.amount_minor) == (5997, 5997)
        assert entry.description == f"{account.plan.name} x 3, 1 Jan to 31 Jan 2026"
        assert reconciliation_of(run=run, now=NOW).charged.amount_minor == {"USD": 5997}
        billed(as_of=datetime.date(2026, 2, 1))
        assert Entry.objects.filter(type="charge").latest("id").amount_minor == 1_999_000

    def test_a_price_of_zero_is_paid_at_once_without_entry_or_payment(self) -> None:
        account = an_account(unit_amount_minor=0)
        billed(as_of=TODAY)
        assert statuses_of(account) == [(TODAY, "PAID")]
        account.refresh_from_db()
        assert (account.status, account.rebilling_date) == ("ACTIVE", datetime.date(2026, 2, 1))
        assert Entry.objects.count() == Payment.objects.count() == 0


@rolled_back
class TestCredit:
    def test_is_used_first_and_the_gateway_is_collected_for_the_remainder(self) -> None:
        account = an_account()
        grant_credit(account_id=account.id, amount_minor=500, reason="sorry", author="test", today=TODAY, now=NOW)
        billed(as_of=TODAY)
        assert Payment.objects.get().amount_minor == 1499
        rebilling = Rebilling.objects.get()
        assert (rebilling.status, rebilling.credit_minor, rebilling.paid_minor) == ("PAID", 500, 1499)
        assert balance(account_id=account.id) == 0

    def test_that_covers_the_charge_pays_it_at_once_without_a_payment(self) -> None:
        account = an_account()
        grant_credit(account_id=account.id, amount_minor=5000, reason="sorry", author="test", today=TODAY, now=NOW)
        gateway = ScriptedGateway()
        billed(as_of=TODAY, gateway=gateway)
        account.refresh_from_db()
        assert statuses_of(account) == [(TODAY, "PAID")]
        assert gateway.requests == []
        assert (account.status, balance(account_id=account.id)) == ("ACTIVE", -3001)

    def test_is_shared_out_in_order_over_the_periods_of_one_batch(self) -> None:
        account = an_account(plan=a_plan(interval_unit="day", unit_amount_minor=100), rebilling_date=TODAY)
        grant_credit(account_id=account.id, amount_minor=250, reason="sorry", author="test", today=TODAY, now=NOW)
        billed(as_of=TODAY + 3 * DAY)
        taken = list(Rebilling.objects.order_by("period_start").values_list("credit_minor", "paid_minor"))
        assert taken == [(100, 0), (100, 0), (50, 50), (0, 100)]
        assert balance(account_id=account.id) == 0


def _breaks(account: Account, day: datetime.date) -> None:
    """Take the idempotency key that the account's charge needs, so that posting it is refused."""
    post(
        postings=[
            Posting(
                type=EntryType.CREDIT,
                account_id=account.id,
                amount_minor=1,
                currency=account.currency,
                effective_on=day,
                description="in the way",
                idempotency_key=f"rebill:{account.id}:{day}",
            )
        ],
        author="test",
        now=NOW,
    )


@rolled_back
class TestABatchWithABadRow:
    def test_parks_the_bad_one_with_its_reason_and_charges_the_rest(self) -> None:
        accounts = [an_account() for _ in range(9)]
        bad = accounts[5]
        _breaks(bad, TODAY)
        run = billed(as_of=TODAY)
        for account in accounts:
            expected = "PARKED" if account == bad else "PAID"
            assert statuses_of(account) == [(TODAY, expected)]
        parked = Rebilling.objects.get(status="PARKED")
        assert parked.reason == "charge_refused"
        assert parked.detail == "IntegrityError: entry_idempotency_key_once"
        bad.refresh_from_db()
        assert (bad.rebilling_date, bad.status) == (TODAY, "PENDING")
        found = reconciliation_of(run=run, now=NOW)
        assert (found.due.periods, found.charged.periods, found.parked.periods) == (9, 8, 1)
        assert found.parked.reasons == {"charge_refused": 1}
        assert Entry.objects.filter(type="charge").count() == 8

    def test_charges_what_comes_before_the_bad_period_and_parks_what_comes_after(self) -> None:
        account = an_account(plan=a_plan(interval_unit="day", unit_amount_minor=100), rebilling_date=TODAY)
        _breaks(account, TODAY + DAY)
        billed(as_of=TODAY + 3 * DAY)
        assert [status for _, status in statuses_of(account)] == ["PAID", "PARKED", "PARKED", "PARKED"]
        reasons = list(
            Rebilling.objects.filter(status="PARKED").order_by("period_start").values_list("reason", flat=True)
        )
        assert reasons == ["charge_refused", "earlier_period_parked", "earlier_period_parked"]
        account.refresh_from_db()
        assert account.rebilling_date == TODAY + DAY

    def test_parks_a_later_period_of_another_batch_behind_a_parked_one(self) -> None:
        account = an_account(plan=a_plan(interval_unit="day", unit_amount_minor=100), rebilling_date=TODAY)
        _breaks(account, TODAY)
        early, late = QueueInHand(), QueueInHand()
        swept(as_of=TODAY, queue=early)
        swept(as_of=TODAY + DAY, queue=late)
        assert delivered(bodies=early.take() + late.take(), today=TODAY + DAY) == []
        reasons = list(Rebilling.objects.order_by("period_start").values_list("status", "reason"))
        assert reasons == [("PARKED", "charge_refused"), ("PARKED", "earlier_period_parked")]
        assert Entry.objects.filter(type="charge").count() == 0

    def test_charges_all_when_the_fault_is_gone_at_the_second_try(self, monkeypatch: pytest.MonkeyPatch) -> None:
        account = an_account(plan=a_plan(interval_unit="day"), rebilling_date=TODAY)
        faults = iter([True])

        def once(**arguments: Any) -> dict[uuid.UUID, int]:
            if next(faults, False):
                raise DataError("a passing fault")
            return spendable_credit(**arguments)

        monkeypatch.setattr(charging, "spendable_credit", once)
        billed(as_of=TODAY + DAY)
        assert statuses_of(account) == [(TODAY, "PAID"), (TODAY + DAY, "PAID")]

    def test_a_bug_fails_the_message_and_parks_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        accounts = [an_account() for _ in range(3)]
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        monkeypatch.setattr(charging, "post", lambda **_: None.gone)  # type: ignore[attr-defined]
        assert delivered(bodies=queue.bodies) == ["0"]
        assert [statuses_of(account) for account in accounts] == [[(TODAY, "DUE")]] * 3

    def test_a_lost_connection_fails_the_message_and_parks_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        account = an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        with monkeypatch.context() as patch:
            patch.setattr(charging, "spendable_credit", lambda **_: (_ for _ in ()).throw(OperationalError("gone")))
            assert delivered(bodies=queue.bodies) == ["0"]
        assert statuses_of(account) == [(TODAY, "DUE")]
        assert delivered(bodies=queue.take()) == []
        assert statuses_of(account) == [(TODAY, "PAID")]


@rolled_back
class TestWhatIsNotCharged:
    def test_an_inactive_accounts_period_is_skipped(self) -> None:
        account = an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        change_statuses(
            changes=[NewStatus(account, Account.Status.INACTIVE, "spent", Account.InactiveReason.UNPAID)],
            author="test",
            now=NOW,
        )
        assert delivered(bodies=queue.take()) == []
        rebilling = Rebilling.objects.get()
        assert (rebilling.status, rebilling.reason) == ("SKIPPED", "account_inactive")
        assert Entry.objects.count() == 0

    def test_a_period_that_is_not_the_next_one_is_parked_and_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        account = an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        Account.objects.update(rebilling_date=TODAY + DAY)
        assert delivered(bodies=queue.take()) == []
        rebilling = Rebilling.objects.get()
        assert (rebilling.status, rebilling.reason) == ("PARKED", "not_the_next_period")
        assert rebilling.detail == "the account's rebilling date is 2026-01-02"
        assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
            "a period was parked"
        ]
        assert Entry.objects.count() == 0
        account.refresh_from_db()
        assert account.rebilling_date == TODAY + DAY

    def test_a_later_period_waits_for_an_earlier_one_in_another_batch(self) -> None:
        account = an_account(plan=a_plan(interval_unit="day"), rebilling_date=TODAY)
        early, late = QueueInHand(), QueueInHand()
        swept(as_of=TODAY, queue=early)
        swept(as_of=TODAY + DAY, queue=late)
        (message,) = late.messages
        only_the_later = type(message)(run_id=message.run_id, as_of=message.as_of, rebillings=message.rebillings[1:])
        late.take()
        late.send([only_the_later])
        assert delivered(bodies=late.bodies, today=TODAY + DAY) == []
        assert statuses_of(account) == [(TODAY, "DUE"), (TODAY + DAY, "DUE")]
        assert delivered(bodies=early.take() + late.take(), today=TODAY + DAY) == []
        assert statuses_of(account) == [(TODAY, "PAID"), (TODAY + DAY, "PAID")]


@rolled_back
class TestAPeriodInTheFuture:
    """No sweep finds one; a row or a message that names one was made by hand, or by mistake."""

    def _row(self, account: Account, run: Run, start: datetime.date) -> Rebilling:
        return Rebilling.objects.create(
            run=run,
            account=account,
            period_start=start,
            period_end=start + DAY,
            status="DUE",
            quantity=1,
            amount_minor=1999,
            currency="USD",
            due_since=NOW,
        )

    def test_is_not_charged_whatever_a_row_and_a_message_say(self, caplog: pytest.LogCaptureFixture) -> None:
        account = an_account(plan=a_plan(interval_unit="day"), rebilling_date=TODAY)
        run = swept(as_of=TODAY, queue=QueueInHand())
        self._row(account, run, TODAY + DAY)
        run.as_of = TODAY + 365 * DAY
        body = a_message(run=run, keys=[PeriodKey(account.id, TODAY), PeriodKey(account.id, TODAY + DAY)])
        assert delivered(bodies=[body]) == []
        assert statuses_of(account) == [(TODAY, "PAID"), (TODAY + DAY, "DUE")]
        account.refresh_from_db()
        assert account.rebilling_date == TODAY + DAY
        assert Entry.objects.filter(type="charge").count() == Payment.objects.count() == 1
        (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
        assert record.event == "rebilling.not_begun"  # type: ignore[attr-defined]

    def test_is_unexplained_an_hour_later_and_charged_on_its_first_day(self) -> None:
        account = an_account(plan=a_plan(interval_unit="day"), rebilling_date=TODAY)
        run = billed(as_of=TODAY)
        self._row(account, run, TODAY + DAY)
        found = reconciliation_of(run=run, now=NOW + datetime.timedelta(hours=1))
        assert found.unexplained_first == [f"rebill:{account.id}:{TODAY + DAY} is still DUE"]
        billed(as_of=TODAY + DAY)
        assert statuses_of(account) == [(TODAY, "PAID"), (TODAY + DAY, "PAID")]


@rolled_back
class TestManyPeriods:
    def test_36_due_periods_of_an_account_are_charged(self) -> None:
        account = an_account(plan=a_plan(interval_unit="day", unit_amount_minor=1), rebilling_date=TODAY)
        billed(as_of=TODAY + 35 * DAY)
        assert [status for _, status in statuses_of(account)] == ["PAID"] * 36

    def test_37_park_the_first_and_the_account_waits(self) -> None:
        account = an_account(plan=a_plan(interval_unit="day", unit_amount_minor=1), rebilling_date=TODAY)
        run = billed(as_of=TODAY + 36 * DAY)
        again = billed(as_of=TODAY + 37 * DAY)
        assert statuses_of(account) == [(TODAY, "PARKED")]
        now = at(TODAY + 40 * DAY)
        assert reconciliation_of(run=run, now=now).parked.reasons == {"too_many_periods": 1}
        assert reconciliation_of(run=run, now=now).clean
        assert reconciliation_of(run=again, now=now).clean
        assert Entry.objects.count() == 0
