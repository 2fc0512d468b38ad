"""Credit goes to what is owed, and the account's status follows from what is left open."""

import datetime
from typing import Any

import pytest
from django.db import transaction

from accounts.locked_accounts import lock_accounts, save_accounts
from accounts.models import Account, AccountChange
from invoices.account_status import refresh_accounts
from invoices.credits import grant_credit
from invoices.write_offs import write_off_invoice
from payments.gateways.port import Declined, Unknown
from payments.models import Payment
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, ScriptedGateway, an_account, billed
from tests.support.databases import rolled_back
from tests.support.owing import (
    DECLINED,
    FEB_1,
    MAR_1,
    answers,
    invoices_of,
    owing,
    owing_two_months,
    received,
    rows,
    state_of,
)

pytestmark = rolled_back

SIGNED: dict[str, Any] = {"reason": "sorry", "author": "t", "today": TODAY, "now": NOW}
DAY = datetime.timedelta(days=1)


def cleared(*accounts: Account, credit_minor: int = 0, paid: bool = False) -> None:
    """Cleared with so much credit, by somebody who has the locks."""
    with transaction.atomic():
        locked = list(lock_accounts(account.id for account in accounts).values())
        for account in locked:
            account.credit_balance_minor += credit_minor
        ids = [account.id for account in locked] if paid else []
        refresh_accounts(accounts=locked, today=FEB_1, author="t", now=NOW, received=ids)


def balances(*accounts: Account) -> list[int]:
    return [Account.objects.get(id=account.id).credit_balance_minor for account in accounts]


class TestCredit:
    def test_goes_to_the_oldest_open_invoice_first(self) -> None:
        account = owing_two_months()
        cleared(account, credit_minor=2500)
        assert rows(account) == [("PAID", 1999, 0), ("OPEN", 501, 0)]
        assert balances(account) == [0]

    def test_of_many_accounts_goes_each_to_its_own(self) -> None:
        owed, other = owing_two_months(), an_account(anchor_date=MAR_1)
        cleared(owed, other, credit_minor=100)
        assert rows(owed) == [("OPEN", 100, 0), ("OPEN", 0, 0)]
        assert balances(owed, other) == [0, 100]

    def test_below_zero_is_left_to_the_next_invoice(self) -> None:
        account = owing_two_months()
        cleared(account, credit_minor=-100)
        assert rows(account) == [("OPEN", 0, 0), ("OPEN", 0, 0)]
        assert balances(account) == [-100]

    def test_passes_over_an_invoice_in_flight(self) -> None:
        account = owing()
        billed(as_of=FEB_1, gateway=ScriptedGateway(Unknown(reason="timed out"), DECLINED))
        in_flight = [payment.invoice_id for payment in Payment.objects.filter(status="UNKNOWN")]
        cleared(account, credit_minor=5000)
        assert sorted(status for status, *_ in rows(account)) == ["OPEN", "PAID"]
        assert balances(account) == [3001]
        assert len(in_flight) == 1

    @pytest.mark.parametrize(
        ("credit", "row", "left"),
        [(1949, ("OPEN", 1949, 0), 0), (1950, ("PAID", 1999, 0), -49), (1998, ("PAID", 1999, 0), -1)],
    )
    def test_carries_forward_what_is_then_too_small(self, credit: int, row: tuple[str, int, int], left: int) -> None:
        account = owing()
        cleared(account, credit_minor=credit)
        assert (rows(account), balances(account)) == ([row], [left])

    def test_leaves_a_small_rest_of_an_invoice_that_is_sent(self) -> None:
        account = an_account(collection_method="send_invoice")
        billed(as_of=TODAY)
        cleared(account, credit_minor=1998)
        assert (rows(account), balances(account)) == ([("OPEN", 1998, 0)], [0])


class TestStatus:
    def test_past_due_with_nothing_past_due_left_is_active(self) -> None:
        account = owing()
        cleared(account, credit_minor=1999)
        account.refresh_from_db()
        assert (account.status, account.dunning_on, account.dunning_steps) == ("ACTIVE", None, 0)

    def test_pending_whose_first_invoice_credit_paid_is_active(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=answers(Declined(code="amount_not_expressible")))
        assert state_of(account) == ("PENDING", 1999, 0)
        grant_credit(account_id=account.id, amount_minor=1999, **SIGNED)
        assert state_of(account) == ("ACTIVE", 0, 0)
        change = AccountChange.objects.filter(account=account).latest("id")
        assert (change.before, change.after) == ({"status": "PENDING"}, {"status": "ACTIVE"})

    def test_pending_without_an_invoice_stays_so(self) -> None:
        account = an_account()
        cleared(account, credit_minor=100)
        assert Account.objects.get(id=account.id).status == "PENDING"

    def test_of_an_open_invoice_that_is_sent_follows_its_due_date(self) -> None:
        account = an_account(collection_method="send_invoice", net_days=30)
        billed(as_of=TODAY)
        cleared(account)
        assert Account.objects.get(id=account.id).status == "PAST_DUE"
        other = an_account(collection_method="send_invoice", net_days=31)
        billed(as_of=TODAY)
        cleared(other)
        assert Account.objects.get(id=other.id).status == "ACTIVE"

    def test_closed_stays_closed_whatever_is_paid(self) -> None:
        account = owing()
        close_account(account_id=account.id, reason="left", author="t", today=TODAY, now=NOW)
        received(account, 1999)
        assert (state_of(account), account.inactive_reason) == (("INACTIVE", 0, 0), "closed")
        assert account.dunning_on is None


class TestAnUnpaidAccount:
    @pytest.fixture
    def account(self) -> Account:
        """INACTIVE on January 8, owing January."""
        account = owing()
        for number in range(1, 8):
            billed(as_of=TODAY + number * DAY, gateway=answers(DECLINED))
        account.refresh_from_db()
        assert (account.status, account.inactive_reason) == ("INACTIVE", "unpaid")
        return account

    def test_is_billed_again_once_money_paid_everything(self, account: Account) -> None:
        """A transfer of 19.99 on January 20: January goes on, and the next bill is February's."""
        jan_20 = TODAY.replace(day=20)
        received(account, 1999, today=jan_20)
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert (account.rebilling_date, account.anchor_date, account.inactive_reason) == (FEB_1, TODAY, "")
        gateway = ScriptedGateway()
        billed(as_of=FEB_1, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [1999]

    def test_begins_a_new_period_where_the_old_one_is_over(self, account: Account) -> None:
        """The transfer on February 20."""
        feb_20 = FEB_1.replace(day=20)
        received(account, 1999, today=feb_20)
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert (account.rebilling_date, account.anchor_date) == (feb_20, feb_20)
        billed(as_of=feb_20)
        periods = list(account.rebillings.order_by("period_start").values_list("period_start", "period_end"))
        assert periods == [(TODAY, FEB_1), (feb_20, MAR_1.replace(day=20))]

    def test_is_billed_again_though_something_was_written_off_before(self) -> None:
        """January was given up while February was still served; the customer then paid all that it was asked for."""
        account = owing()
        write_off_invoice(invoice_id=invoices_of(account)[0].id, **SIGNED)
        for number in range(8):
            billed(as_of=FEB_1 + number * DAY, gateway=answers(DECLINED))
        assert state_of(account)[0] == "INACTIVE"
        received(account, 1999, invoice_id=invoices_of(account)[1].id, today=FEB_1 + 8 * DAY)
        assert rows(account) == [("UNCOLLECTIBLE", 0, 0), ("PAID", 0, 1999)]
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_stays_so_when_the_rest_was_written_off_since(self, account: Account) -> None:
        received(account, 1000)
        write_off_invoice(invoice_id=invoices_of(account)[0].id, **SIGNED)
        received(account, 1, invoice_id=None)
        assert state_of(account) == ("INACTIVE", 0, 1)

    def test_stays_so_while_something_is_outstanding(self, account: Account) -> None:
        received(account, 1000)
        assert state_of(account) == ("INACTIVE", 999, 0)

    def test_is_not_billed_again_by_credit(self, account: Account) -> None:
        cleared(account, credit_minor=1999)
        account.refresh_from_db()
        assert (account.status, account.inactive_reason) == ("INACTIVE", "unpaid")

    def test_that_was_closed_since_stays_closed(self, account: Account) -> None:
        close_account(account_id=account.id, reason="left", author="t", today=TODAY, now=NOW)
        received(account, 1999)
        assert (state_of(account), account.inactive_reason) == (("INACTIVE", 0, 0), "closed")


class TestSchedule:
    def test_of_an_account_with_something_declined_is_never_missing(self) -> None:
        account = owing()
        with transaction.atomic():
            (locked,) = lock_accounts([account.id]).values()
            locked.dunning_on = None
            save_accounts([locked], author="t", now=NOW)
        cleared(account)
        assert Account.objects.get(id=account.id).dunning_on == FEB_1 + DAY

    def test_is_none_where_none_is_set(self, settings: Any) -> None:
        settings.DUNNING_DAYS = []
        account = owing()
        cleared(account)
        assert Account.objects.get(id=account.id).dunning_on is None
