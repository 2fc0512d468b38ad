"""Billing an account again: each branch of the one rule, by when it is and what became of the running period."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.locked_accounts import lock_accounts, save_accounts
from accounts.models import Account, Terms
from invoices.credit_notes import issue_credit_note
from invoices.resumption import resume_billing
from invoices.write_offs import write_off_invoice
from payments.gateways.port import Declined, Unknown
from payments.reversed_money import record_reversed_payment
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, ScriptedGateway, a_plan, an_account, at, billed
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED, FEB_1, MAR_1, answers, invoices_of, owing, received, state_of
from tests.support.refunds import paid, refunded

pytestmark = rolled_back

JAN_20 = TODAY.replace(day=20)
SIGNED: dict[str, Any] = {"reason": "r", "author": "t", "today": TODAY, "now": NOW}


def resumed(account: Account, day: datetime.date) -> Account:
    """Closed if it is open, and billed again on that day."""
    account.refresh_from_db()
    if account.status != "INACTIVE":
        close_account(account_id=account.id, reason="left", author="t", today=TODAY, now=NOW)
    with transaction.atomic():
        (locked,) = lock_accounts([account.id]).values()
        resume_billing([locked], reason="came back", today=day, author="bo", now=at(day))
        save_accounts([locked], author="bo", now=at(day))
    account.refresh_from_db()
    return account


def periods_of(account: Account) -> list[tuple[datetime.date, datetime.date, str]]:
    """First day, last day's next, and status."""
    return list(account.rebillings.order_by("period_start", "id").values_list("period_start", "ended_on", "status"))


def credited(account: Account, amount_minor: int | None = None) -> None:
    issue_credit_note(invoice_id=invoices_of(account)[0].id, amount_minor=amount_minor, **SIGNED)


def refund_whole(account: Account) -> None:
    refunded(account.payments.get(), 1999)


def write_off(account: Account) -> None:
    write_off_invoice(invoice_id=invoices_of(account)[0].id, **SIGNED)


def pay_and_write_off_the_rest(account: Account, amount_minor: int) -> None:
    received(account, amount_minor)
    write_off(account)


def take_back(account: Account) -> None:
    record_reversed_payment(payment_id=account.payments.get().id, **SIGNED)


def nothing(account: Account) -> None:
    """The period stays as it is."""


class TestARunningPeriod:
    @pytest.mark.parametrize(
        ("answer", "then"),
        [
            (None, nothing),
            (DECLINED, nothing),
            (Unknown(reason="timed out"), nothing),
            (Declined(code="amount_not_expressible"), nothing),
            (None, lambda account: credited(account, 1949)),
            (None, lambda account: refunded(account.payments.get(), 1949)),
            (None, take_back),
            (DECLINED, lambda account: pay_and_write_off_the_rest(account, 1899)),
        ],
        ids=[
            *("paid", "declined", "in_flight", "our_fault", "partly_credited", "partly_refunded", "taken_back"),
            "a_rest_written_off",
        ],
    )
    def test_that_is_paid_for_or_owed_goes_on(self, answer: Any, then: Callable[[Account], object]) -> None:
        account = owing(answer) if answer else paid().account
        then(account)
        resumed(account, JAN_20)
        assert (account.anchor_date, account.rebilling_date, account.first_rebilling_date) == (TODAY, FEB_1, TODAY)
        assert periods_of(account) == [(TODAY, FEB_1, "CHARGED")]
        assert Terms.objects.filter(account=account).count() == 1
        assert account.billing_since == at(JAN_20)

    @pytest.mark.parametrize(
        ("answer", "then", "status"),
        [
            (None, credited, "VOIDED"),
            (None, refund_whole, "VOIDED"),
            (None, lambda account: credited(account, 1998), "CHARGED"),
            (None, lambda account: refunded(account.payments.get(), 1998), "CHARGED"),
            (DECLINED, lambda account: pay_and_write_off_the_rest(account, 1), "CHARGED"),
            (DECLINED, credited, "VOIDED"),
            (DECLINED, write_off, "CHARGED"),
        ],
        ids=[
            *(
                "credited",
                "refunded",
                "all_but_a_cent_credited",
                "all_but_a_cent_refunded",
                "all_but_a_cent_written_off",
            ),
            *("void", "written_off"),
        ],
    )
    def test_that_was_given_back_or_given_up_is_cut_off_and_a_new_one_begins(
        self, answer: Any, then: Callable[[Account], object], status: str
    ) -> None:
        account = owing(answer) if answer else paid().account
        then(account)
        resumed(account, JAN_20)
        assert (account.anchor_date, account.rebilling_date, account.first_rebilling_date) == (JAN_20,) * 3
        ended_on = JAN_20 if status == "CHARGED" else FEB_1
        assert periods_of(account) == [(TODAY, ended_on, status)]
        newest = Terms.objects.filter(account=account).latest("id")
        assert (newest.effective_from, newest.anchor_date) == (JAN_20, JAN_20)
        assert (newest.quantity, newest.unit_amount_minor) == (1, 1999)
        assert (newest.reason, newest.author) == ("came back", "bo")
        billed(as_of=JAN_20)
        assert periods_of(account)[1] == (JAN_20, FEB_1.replace(day=20), "CHARGED")

    def test_of_a_year_that_was_written_off_begins_anew(self) -> None:
        """Yearly, declined hard, written off, reopened after 40 days: a new year begins."""
        account = owing(Declined(code="stolen_card", hard=True), plan=a_plan(interval_unit="year"))
        write_off(account)
        day = TODAY + datetime.timedelta(days=40)
        resumed(account, day)
        assert account.rebilling_date == day
        assert periods_of(account) == [(TODAY, day, "CHARGED")]

    def test_cut_off_on_its_first_day_is_voided(self) -> None:
        account = owing()
        write_off(account)
        resumed(account, TODAY)
        assert periods_of(account) == [(TODAY, TODAY, "VOIDED")]
        billed(as_of=TODAY)
        assert periods_of(account)[1:] == [(TODAY, FEB_1, "CHARGED")]

    def test_that_costs_nothing_goes_on(self) -> None:
        account = an_account(unit_amount_minor=0)
        billed(as_of=TODAY)
        resumed(account, JAN_20)
        assert (account.rebilling_date, account.status) == (FEB_1, "ACTIVE")


class TestNoRunningPeriod:
    @pytest.mark.parametrize("day", [FEB_1, MAR_1])
    def test_since_the_last_is_over_begins_a_new_one_that_day(self, day: datetime.date) -> None:
        account = resumed(paid().account, day)
        assert (account.anchor_date, account.rebilling_date) == (day, day)
        assert periods_of(account) == [(TODAY, FEB_1, "CHARGED")]

    def test_since_the_first_is_still_ahead_waits_for_it(self) -> None:
        account = an_account(anchor_date=MAR_1, rebilling_date=MAR_1)
        resumed(account, JAN_20)
        assert (account.anchor_date, account.rebilling_date) == (MAR_1, MAR_1)

    @pytest.mark.parametrize(
        ("trial_days", "day", "status"), [(14, 14, "ACTIVE"), (14, 15, "PENDING"), (0, 1, "PENDING")]
    )
    def test_of_a_trial_goes_on_with_it(self, trial_days: int, day: int, status: str) -> None:
        account = an_account(plan=a_plan(trial_days=trial_days))
        assert resumed(account, TODAY.replace(day=day)).status == status

    def test_of_an_imported_customer_who_left_begins_one_that_day(self) -> None:
        account = an_account(anchor_date=MAR_1, rebilling_date=MAR_1)
        Account.objects.filter(id=account.id).update(status="INACTIVE", inactive_reason="imported")
        resumed(account, JAN_20)
        assert (account.anchor_date, account.rebilling_date) == (JAN_20, JAN_20)

    def test_bills_nothing_for_the_days_between(self) -> None:
        account = resumed(paid().account, MAR_1.replace(day=10))
        gateway = ScriptedGateway()
        billed(as_of=MAR_1.replace(day=10), gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [1999]
        assert periods_of(account)[1][0] == MAR_1.replace(day=10)


def statements_to_resume(accounts: int) -> int:
    """Half of them go on, and half begin anew."""
    made = [paid().account for _ in range(accounts)]
    for account in made[::2]:
        refunded(account.payments.get(), 1999)
    ids = [close_account(account_id=account.id, **SIGNED).account.id for account in made]
    with transaction.atomic():
        locked = list(lock_accounts(ids).values())
        with CaptureQueriesContext(connection) as queries:
            resume_billing(locked, reason="came back", today=JAN_20, author="bo", now=at(JAN_20))
    assert {account.rebilling_date for account in locked} == {JAN_20, FEB_1}
    return len(queries)


def test_takes_as_many_statements_for_two_accounts_as_for_twelve() -> None:
    two = statements_to_resume(2)
    assert statements_to_resume(12) == two


class TestHistory:
    def test_shows_the_dates_that_moved_and_the_status(self) -> None:
        account = owing()
        write_off(account)
        resumed(account, JAN_20)
        change = account.changes.latest("id")
        assert (change.reason, change.author) == ("came back", "bo")
        dates = {"anchor_date": "2026-01-01", "rebilling_date": "2026-02-01"}
        assert change.before == {"status": "INACTIVE", "inactive_reason": "closed"} | dates
        dates = {"anchor_date": "2026-01-20", "rebilling_date": "2026-01-20"}
        assert change.after == {"status": "PENDING", "inactive_reason": None} | dates

    def test_shows_no_dates_where_the_period_goes_on(self) -> None:
        account = resumed(paid().account, JAN_20)
        assert set(account.changes.latest("id").after) == {"status", "inactive_reason"}


class TestStatus:
    def test_is_active_once_an_invoice_was_paid(self) -> None:
        assert resumed(paid().account, JAN_20).status == "ACTIVE"

    def test_is_pending_before(self) -> None:
        assert resumed(an_account(), JAN_20).status == "PENDING"
        assert resumed(owing(Unknown(reason="timed out")), JAN_20).status == "PENDING"

    def test_is_past_due_while_something_declined_is_open(self) -> None:
        account = paid().account
        billed(as_of=FEB_1, gateway=answers(DECLINED))
        assert resumed(account, FEB_1).status == "PAST_DUE"

    def test_is_pending_where_what_is_open_is_our_fault(self) -> None:
        account = owing(Declined(code="amount_not_expressible"))
        assert resumed(account, JAN_20).status == "PENDING"
        assert state_of(account)[1] == 1999

    @pytest.mark.parametrize(("day", "status"), [(31, "ACTIVE"), (32, "PAST_DUE")])
    def test_of_who_is_sent_invoices_follows_their_due_date(self, day: int, status: str) -> None:
        plan = a_plan(interval_unit="year")
        account = an_account(plan=plan, collection_method="send_invoice", net_days=30)
        billed(as_of=TODAY)
        assert resumed(account, TODAY + datetime.timedelta(days=day - 1)).status == status
