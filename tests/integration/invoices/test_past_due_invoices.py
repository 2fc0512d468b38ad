"""Invoices that were sent and not paid: PAST_DUE from the day after, INACTIVE after the days of `UNPAID_DAYS`."""

import datetime
from typing import Any

import pytest

from accounts.models import Account, AccountChange
from invoices import past_due_invoices
from invoices.past_due_invoices import mark_past_due
from payments.gateways.port import Declined
from payments.payment_requests import pay_invoice
from subscriptions.lifecycle import reopen_account
from tests.builders import NOW, TODAY, ScriptedGateway, a_plan, an_account, at, billed, statuses_of
from tests.support.databases import rolled_back
from tests.support.owing import FEB_1, MAR_1, invoices_of, owing, received, state_of
from tests.support.payments import collected

pytestmark = rolled_back

DAY = datetime.timedelta(days=1)
DUE = TODAY + 30 * DAY
INTERVAL: dict[str, Any] = {"interval_count": 1, "interval_unit": "year"}


def sent_account(**terms: Any) -> Account:
    """Sent an invoice of 1,999 today, due on January 31, for a year."""
    account = an_account(plan=a_plan(**INTERVAL), collection_method="send_invoice", net_days=30, **terms)
    billed(as_of=TODAY)
    return account


def marked(account: Account, day: datetime.date) -> tuple[str, str]:
    mark_past_due(today=day, now=at(day))
    account.refresh_from_db()
    return account.status, account.inactive_reason


class TestMarkPastDue:
    @pytest.mark.parametrize(
        ("days", "status"),
        [
            (0, ("ACTIVE", "")),
            (1, ("PAST_DUE", "")),
            (59, ("PAST_DUE", "")),
            (60, ("INACTIVE", "unpaid")),
            (400, ("INACTIVE", "unpaid")),
        ],
    )
    def test_goes_by_the_days_since_the_due_date(self, days: int, status: tuple[str, str]) -> None:
        account = sent_account()
        assert marked(account, DUE + days * DAY) == status
        assert state_of(account)[1:] == (1999, 0)

    @pytest.mark.parametrize(
        ("days", "status"), [(0, ("PAST_DUE", "")), (59, ("PAST_DUE", "")), (60, ("INACTIVE", "unpaid"))]
    )
    def test_counts_anew_from_the_day_of_reopening(self, days: int, status: tuple[str, str]) -> None:
        account = sent_account()
        assert marked(account, DUE + 60 * DAY) == ("INACTIVE", "unpaid")
        day = DUE + 70 * DAY
        reopen_account(account_id=account.id, reason="came back", author="t", today=day, now=at(day))
        assert marked(account, day + days * DAY) == status
        assert state_of(account)[1:] == (1999, 0)

    def test_notes_each_change_in_the_history(self) -> None:
        account = sent_account()
        marked(account, DUE + DAY)
        marked(account, DUE + 60 * DAY)
        changes = AccountChange.objects.filter(account=account).order_by("id")
        assert list(changes.values_list("reason", "author", "after"))[1:] == [
            ("an invoice is past due", "system:billing", {"status": "PAST_DUE"}),
            (
                "an invoice that is past due was not paid within 60 days",
                "system:billing",
                {"status": "INACTIVE", "inactive_reason": "unpaid"},
            ),
        ]

    def test_twice_on_one_day_changes_nothing_more(self) -> None:
        account = sent_account()
        for _ in range(2):
            marked(account, DUE + DAY)
        assert AccountChange.objects.filter(account=account).count() == 2

    def test_goes_by_the_setting(self, settings: Any) -> None:
        settings.UNPAID_DAYS = 5
        account = sent_account()
        assert marked(account, DUE + 4 * DAY) == ("PAST_DUE", "")
        assert marked(account, DUE + 5 * DAY) == ("INACTIVE", "unpaid")

    def test_leaves_collected_ones_to_dunning(self, settings: Any) -> None:
        account = owing(Declined(code="amount_not_expressible"))
        assert marked(account, MAR_1 + 200 * DAY) == ("PENDING", "")

    def test_leaves_paid_and_closed_ones_alone(self) -> None:
        account = sent_account()
        received(account, 1999, invoice_id=invoices_of(account)[0].id)
        assert marked(account, DUE + 60 * DAY) == ("ACTIVE", "")

    def test_of_several_invoices_goes_by_the_oldest_that_is_open(self) -> None:
        account = an_account(collection_method="send_invoice", net_days=10)
        for day in (TODAY, FEB_1, MAR_1):
            billed(as_of=day)
        assert state_of(account) == ("PAST_DUE", 5997, 0)
        received(account, 1999, today=MAR_1)
        assert state_of(account) == ("PAST_DUE", 3998, 0)
        received(account, 1999, is_another=True, today=MAR_1)
        assert state_of(account) == ("ACTIVE", 1999, 0)
        assert marked(account, MAR_1 + 11 * DAY) == ("PAST_DUE", "")

    def test_goes_on_until_no_account_is_left(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(past_due_invoices, "BATCH_ACCOUNTS", 2)
        accounts = [sent_account() for _ in range(5)]
        assert {marked(account, DUE + 60 * DAY) for account in accounts} == {("INACTIVE", "unpaid")}

    def test_in_a_sweep_skips_the_periods_of_who_became_inactive(self) -> None:
        account = an_account(collection_method="send_invoice", net_days=0)
        billed(as_of=TODAY)
        billed(as_of=MAR_1 + 60 * DAY)
        assert state_of(account)[:2] == ("INACTIVE", 1999)
        assert statuses_of(account) == [(TODAY, "CHARGED")]

    def test_paid_at_last_the_account_is_active_again(self) -> None:
        account = sent_account()
        marked(account, DUE + 60 * DAY)
        received(account, 1999, today=DUE + 70 * DAY)
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert account.rebilling_date == TODAY.replace(year=2027)


class TestADeclineOfAnInvoiceThatIsSent:
    def test_starts_no_dunning(self) -> None:
        """A person had it collected at the gateway, once."""
        account = sent_account(payment_customer="cus_1", payment_method="pm_1")
        payment = pay_invoice(invoice_id=invoices_of(account)[0].id, author="t", now=NOW)
        gateway = ScriptedGateway(Declined(code="card_declined"))
        billed(as_of=TODAY, gateway=gateway)
        assert gateway.requests == []
        collected(payment.id, gateway=gateway)
        payment.refresh_from_db()
        assert (payment.status, invoices_of(account)[0].declined_on) == ("DECLINED", None)
        assert state_of(account) == ("ACTIVE", 1999, 0)
        assert account.dunning_on is None
