"""Which periods a discount is taken off when they are found due, and at what cost in statements."""

import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from accounts.tax_rates import create_tax_rate
from payments.gateways.port import Answer, Declined
from rebilling.books import discrepancies
from rebilling.models import Rebilling, Run
from rebilling.parked_periods import release_parked, skip_parked
from rebilling.period_discounts import periods_having
from rebilling.run_review import cancel_run
from rebilling.sweep import find_due
from subscriptions.discounts import end_discount, give_discount
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
    due,
    swept,
)
from tests.support.databases import rolled_back
from tests.support.owing import FEB_1, MAR_1
from tests.support.refunds import sent

pytestmark = rolled_back


def given(account: Account, *, on: datetime.date = TODAY, **discount: Any) -> Account:
    discount = discount or {"percent": Decimal(10), "periods": 1}
    return give_discount(account_id=account.id, **discount, reason="agreed", author="ann", today=on, now=at(on))


def taken_off(account: Account) -> list[tuple[str, int]]:
    rows = Rebilling.objects.filter(account=account).order_by("period_start", "id")
    return list(rows.values_list("status", "discount_minor"))


def statements(act: Any) -> list[str]:
    with CaptureQueriesContext(connection) as found:
        act()
    return [query["sql"] for query in found]


class TestSweep:
    def test_leaves_a_period_that_was_found_due_as_it_is(self) -> None:
        account = an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        given(account)
        assert delivered(bodies=queue.take()) == []
        billed(as_of=FEB_1)
        assert taken_off(account) == [("CHARGED", 0), ("CHARGED", 200)]

    def test_that_comes_again_uses_up_no_discount(self) -> None:
        """January was found due without it; the sweep that looks again takes it off February."""
        account = an_account()
        swept(as_of=TODAY, queue=QueueInHand())
        given(account)
        swept(as_of=FEB_1, queue=QueueInHand())
        assert taken_off(account) == [("DUE", 0), ("DUE", 200)]

    def test_that_comes_again_counts_what_has_it_once(self) -> None:
        account = an_account()
        given(account, percent=Decimal(10), periods=2)
        swept(as_of=TODAY, queue=QueueInHand())
        swept(as_of=MAR_1, queue=QueueInHand())
        assert taken_off(account) == [("DUE", 200), ("DUE", 200), ("DUE", 0)]

    def test_finds_the_periods_of_a_cancelled_run_again_with_their_discount(self, settings: Any) -> None:
        settings.VOLUME_CHECK_FIRST_PERIODS = 1
        accounts = due(2, on=TODAY)
        for account in accounts:
            given(account)
        run = swept(as_of=TODAY, queue=QueueInHand())
        assert run.status == Run.Status.HELD
        cancel_run(run_id=run.id, reason="again", author="ann", now=NOW)
        settings.VOLUME_CHECK_FIRST_PERIODS = 0
        billed(as_of=TODAY)
        billed(as_of=FEB_1)
        for account in accounts:
            assert taken_off(account) == [("SKIPPED", 200), ("CHARGED", 200), ("CHARGED", 0)]

    def test_takes_none_off_what_is_free(self) -> None:
        account = an_account(plan=a_plan(unit_amount_minor=0))
        given(account, amount_minor=500, periods=1)
        billed(as_of=TODAY)
        assert taken_off(account) == [("CHARGED", 0)]
        assert not Rebilling.objects.filter(discount__isnull=False).exists()

    def test_that_is_tried_out_shows_the_price_with_it(self) -> None:
        account = an_account(tax_rate=create_tax_rate(name="VAT", percent=Decimal(21), now=NOW).id)
        given(account, percent=Decimal(25))
        (row,) = find_due(as_of=TODAY, now=NOW)
        assert (row.discount_minor, row.amount_minor) == (500, 1499)
        assert not Rebilling.objects.exists()

    def test_takes_two_statements_more_for_a_batch_with_discounts_whatever_their_number(self) -> None:
        def with_discounts(number: int) -> list[str]:
            accounts = due(10, on=TODAY)
            for account in accounts[:number]:
                given(account)
            return statements(lambda: swept(as_of=TODAY, queue=QueueInHand()))

        none, one, ten = (len(with_discounts(number)) for number in (0, 1, 10))
        assert (one, ten) == (none + 2, none + 2)


class TestParked:
    @pytest.mark.parametrize("decide", [release_parked, skip_parked])
    def test_what_follows_too_many_periods_has_the_discount_and_the_tax(self, decide: Any) -> None:
        rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
        start = TODAY - datetime.timedelta(days=40)
        plan = a_plan(interval_unit="day", unit_amount_minor=100)
        account = an_account(plan=plan, anchor_date=start, rebilling_date=start, today=start, tax_rate=rate.id)
        given(account, on=start, percent=Decimal(50), periods=3)
        billed(as_of=TODAY)
        (parked,) = Rebilling.objects.filter(account=account)
        assert (parked.status, parked.discount_minor, parked.tax_rate_id) == ("PARKED", 50, rate.id)
        decide(rebilling_id=parked.id, reason="right", author="ann", now=NOW)
        live = [discount for status, discount in taken_off(account) if status != "SKIPPED"]
        assert live[:4] == [50, 50, 50, 0]
        assert sum(live) == 150
        assert set(Rebilling.objects.values_list("tax_rate_id", flat=True)) == {rate.id}


class TestWorker:
    def test_takes_one_statement_more_for_a_batch_with_taxes_whatever_their_number(self) -> None:
        rates = [create_tax_rate(name="VAT", percent=Decimal(number), now=NOW).id for number in range(1, 11)]

        def with_taxes(number: int) -> int:
            plan, queue = a_plan(), QueueInHand()
            for place in range(10):
                rate = rates[place] if place < number else None
                an_account(plan=plan, anchor_date=TODAY, rebilling_date=TODAY, tax_rate=rate)
            swept(as_of=TODAY, queue=queue)
            return len(statements(lambda: delivered(bodies=queue.take())))

        none, one, ten = (with_taxes(number) for number in (0, 1, 10))
        assert (one, ten) == (none + 1, none + 1)


class TestVoided:
    """Closed on its first day with a refund, the period is VOIDED; the account is reopened later that day."""

    def reopened(self, *, periods: int, refunds: list[Answer]) -> Account:
        account = an_account()
        given(account, percent=Decimal(10), periods=periods)
        billed(as_of=TODAY)
        said: dict[str, Any] = {"reason": "r", "author": "ann", "today": TODAY, "now": NOW}
        close_account(account_id=account.id, refund="full", **said)
        assert sent(account.refunds.get(), gateway=ScriptedGateway(refunds=refunds)) == []
        reopen_account(account_id=account.id, **said)
        for day in (TODAY, FEB_1, MAR_1):
            billed(as_of=day)
        assert discrepancies() == []
        return account

    @pytest.mark.parametrize(
        ("periods", "discounts"), [(1, [200, 0, 0, 0]), (2, [200, 200, 0, 0]), (3, [200, 200, 200, 0])]
    )
    def test_and_its_money_kept_it_has_used_the_discount(self, periods: int, discounts: list[int]) -> None:
        account = self.reopened(periods=periods, refunds=[Declined("expired_card")])
        assert taken_off(account) == list(zip(["VOIDED", *["CHARGED"] * 3], discounts, strict=True))
        assert periods_having([account.discounts.get().id]) == {account.discounts.get().id: periods}

    def test_and_its_money_sent_back_the_discount_is_free_again(self) -> None:
        account = self.reopened(periods=1, refunds=[])
        assert taken_off(account) == [("VOIDED", 200), ("CHARGED", 200), ("CHARGED", 0), ("CHARGED", 0)]


class TestEndDiscount:
    def test_leaves_what_was_found_due_with_it(self) -> None:
        account = an_account()
        given(account, percent=Decimal(50))
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        end_discount(account_id=account.id, reason="over", author="ann", now=NOW)
        assert delivered(bodies=queue.take()) == []
        billed(as_of=FEB_1)
        assert taken_off(account) == [("CHARGED", 1000), ("CHARGED", 0)]
