"""Changes of terms beside credit notes and deductions of their period: nothing of these is lost, or counted twice."""

import datetime
from typing import Any

import pytest

from invoices.models import Item
from payments.gateways.port import Declined
from payments.models import Refund
from rebilling.books import discrepancies
from tests.builders import ScriptedGateway
from tests.support.databases import rolled_back
from tests.support.platform_days import PlatformDays

JAN_16, JAN_21 = datetime.date(2026, 1, 16), datetime.date(2026, 1, 21)
PRICE = 3100
"""A hundred a day of January."""
WHY = {"reason": "as was agreed"}

pytestmark = rolled_back


def opened(days: PlatformDays, *items: tuple[str, int]) -> str:
    """An account whose January is billed, with these one-off items."""
    account = days.opened(billing="next_sweep", unit_amount_minor=PRICE)
    for description, amount in items:
        days.post(f"/v1/accounts/{account}/items", WHY | {"description": description, "unit_amount_minor": amount})
    days.sweep()
    return account


def changed(days: PlatformDays, account: str, **terms: Any) -> int:
    """What the change comes to: above zero it is to be paid, below it is given back."""
    proration = days.post(f"/v1/accounts/{account}/terms", WHY | terms)["proration"]
    net: int = proration["net_minor"]
    return net


def credited(days: PlatformDays, account: str, **what: Any) -> None:
    days.post(f"/v1/invoices/{days.invoice(account)['id']}/credit-notes", WHY | what)


class TestAfterACreditNote:
    def test_more_and_back_on_the_same_day_leaves_nothing_to_pay(self, days: PlatformDays) -> None:
        account = opened(days)
        credited(days, account, amount_minor=1000)
        assert [changed(days, account, quantity=2), changed(days, account, quantity=1)] == [PRICE, -PRICE]
        assert discrepancies() == []

    def test_nothing_and_back_on_the_same_day_leaves_nothing_to_pay(self, days: PlatformDays) -> None:
        account = opened(days)
        credited(days, account, amount_minor=2500)
        days.sweep_daily(until=JAN_16)
        free, back = changed(days, account, unit_amount_minor=0), changed(days, account, unit_amount_minor=PRICE)
        # No more than was left of it.
        assert (free, back) == (-600, 600)
        assert discrepancies() == []

    def test_of_another_line_the_period_that_went_along_is_given_back_by_its_days(self, days: PlatformDays) -> None:
        account = opened(days, ("Setup", 2000), ("For the wait", -PRICE))
        lines = {line["description"]: line["id"] for line in days.invoice(account)["lines"]}
        credited(days, account, lines=[{"line": lines["Setup"], "amount_minor": 2000}])
        days.sweep_daily(until=JAN_16)
        assert changed(days, account, quantity=2) == 1600
        days.sweep_daily(until=JAN_21)
        assert [changed(days, account, quantity=1), changed(days, account, quantity=2)] == [-1100, 1100]
        assert discrepancies() == []


class TestOfAPeriodThatADeductionPaid:
    def test_nothing_and_back_on_the_same_day_leaves_nothing_to_pay(self, days: PlatformDays) -> None:
        account = opened(days, ("For the wait", -3000))
        days.sweep_daily(until=JAN_16)
        free, back = changed(days, account, unit_amount_minor=0), changed(days, account, unit_amount_minor=PRICE)
        # No more than the invoice came to.
        assert (free, back) == (-100, 100)
        assert discrepancies() == []

    @pytest.mark.parametrize(("deducted", "given_back"), [(PRICE, 0), (3000, 100)])
    def test_the_days_left_of_a_period_that_ends_are_deducted_from_the_next(
        self, days: PlatformDays, deducted: int, given_back: int
    ) -> None:
        account = opened(days, ("For the wait", -deducted))
        days.sweep_daily(until=JAN_16)
        days.post(f"/v1/accounts/{account}/terms", WHY | {"anchor_date": "2026-01-16"})
        newest = max(days.invoices(account), key=lambda invoice: invoice["id"])
        assert [(line["description"], line["amount_minor"]) for line in newest["lines"]][1:] == [
            ("Unused days of Pro, 16 Jan to 31 Jan 2026", given_back - 1600)
        ]
        assert newest["total_minor"] == PRICE - 1600 + given_back
        assert not Item.objects.filter(account_id=account, amount_minor__lt=0, invoiced_minor=0).exists()
        assert discrepancies() == []


class TestARefundOfAClosingThatFails:
    def test_waits_for_a_person(self, days: PlatformDays) -> None:
        account = opened(days)
        days.sweep_daily(until=JAN_16)
        gateway = ScriptedGateway()
        gateway.refunds = [Declined("charge_disputed")]
        days.gateway = gateway
        days.post(f"/v1/accounts/{account}/close", WHY | {"refund": "prorated"})
        refund = Refund.objects.get()
        assert (refund.status, refund.needs_review) == ("FAILED", True)
        assert "refund it again" in refund.review_reason
