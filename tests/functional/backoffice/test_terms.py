"""The staff's form that changes terms: the preview comes before the button, and what was seen is what is done."""

import datetime
import re
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.models import Account, Plan
from invoices.models import Invoice
from tests.builders import a_plan, at
from tests.functional.backoffice.action_requests import logged, messages_of, path_of, state
from tests.functional.backoffice.conftest import Billed, page
from tests.support.databases import rolled_back

JAN_16 = datetime.date(2026, 1, 16)

pytestmark = rolled_back


@pytest.fixture
def account(billed_account: Billed) -> Account:
    return billed_account.account


@pytest.fixture(autouse=True)
def mid_january(billed_account: Billed) -> Iterator[None]:
    with time_machine.travel(at(JAN_16), tick=False):
        yield


def said(**changes: str) -> dict[str, str]:
    """Two units of gold, where there was one at 1,999.00 USD."""
    form = {"plan": "gold", "quantity": "2", "unit_price": "", "effective": "now", "proration": "invoice"}
    return form | {"reason": "a second seat"} | changes


def previewed(client: Client, account: Account, data: dict[str, str]) -> tuple[list[str], str]:
    """The sentences of the preview, and what the form carries along because it was seen."""
    content = client.post(path_of(account, "terms"), data).content.decode()
    found = re.search(
        r'What it comes to</h2>\s*<ul>(.*?)</ul>\s*<input type="hidden" name="seen" value="(\w+)">', content
    )
    assert found
    assert '<input type="submit" class="default" value="Change terms">' in content
    return re.findall(r"<li>(.*?)</li>", found[1]), found[2]


class TestChangeTerms:
    def test_shows_what_it_comes_to_and_then_does_that(self, operator: Client, account: Account) -> None:
        before = state()
        sentences, seen = previewed(operator, account, said())
        assert state() == before
        assert sentences == [
            "From 16 Jan 2026 on: Gold, 2 times 1,999.00 USD, 3,998.00 USD a period.",
            "The next billing day is 1 Feb 2026.",
            "Unused days of Gold, 16 Jan to 31 Jan 2026: -1,031.74 USD.",
            "Gold x 2, 16 Jan to 31 Jan 2026: 2,063.48 USD.",
            "1,031.74 USD is billed now.",
        ]
        assert messages_of(operator, path_of(account, "terms"), said(seen=seen)) == ["The terms were changed."]
        assert Invoice.objects.latest("id").total_minor == 103_174
        assert logged() == [("olga", str(account.id), "Change terms: a second seat")]

    def test_shows_it_again_where_it_would_come_to_something_else(self, operator: Client, account: Account) -> None:
        _, seen = previewed(operator, account, said())
        before = state()
        sentences, _ = previewed(operator, account, said(quantity="3", seen=seen))
        assert sentences[-1] == "2,063.48 USD is billed now."
        assert state() == before

    def test_that_waits_says_what_the_next_invoice_has(self, operator: Client, account: Account) -> None:
        data = said(proration="next_invoice")
        sentences, seen = previewed(operator, account, data)
        assert sentences[-1] == "1,031.74 USD waits for the next invoice; nothing is billed now."
        assert messages_of(operator, path_of(account, "terms"), data | {"seen": seen}) == ["The terms were changed."]
        content = page(operator, f"accounts/account/{account.id}/change/")
        assert ("2,063.48 USD" in content, "Remove an item" in content) == (True, False)
        assert Invoice.objects.count() == 1

    def test_to_less_says_what_is_credited(self, operator: Client, account: Account) -> None:
        a_plan(code="basic", unit_amount_minor=100_000)
        sentences, _ = previewed(operator, account, said(plan="basic", quantity="1"))
        assert sentences[-1] == "515.61 USD is credited, 515.61 USD of it to the account&#x27;s credit."

    def test_of_another_interval_shows_the_new_period_too(self, operator: Client, account: Account) -> None:
        a_plan(code="yearly", unit_amount_minor=2_000_000, interval_unit="year")
        data = said(plan="yearly", quantity="1")
        before = state()
        sentences, seen = previewed(operator, account, data)
        assert state() == before
        assert sentences[1:] == [
            "The next billing day is 16 Jan 2027.",
            "Unused days of Gold, 16 Jan to 31 Jan 2026: -1,031.74 USD.",
            "1,031.74 USD is credited, 1,031.74 USD of it to the account&#x27;s credit.",
            "Yearly, 16 Jan 2026 to 15 Jan 2027: 20,000.00 USD.",
            "The new period is billed now: 20,000.00 USD, of which 18,968.26 USD is to be paid.",
        ]
        assert messages_of(operator, path_of(account, "terms"), data | {"seen": seen}) == ["The terms were changed."]
        assert Invoice.objects.latest("id").outstanding_minor == 1_896_826

    def test_says_where_the_new_period_waits(self, operator: Client, account: Account, settings: Any) -> None:
        settings.VOLUME_CHECK_MULTIPLE, settings.VOLUME_CHECK_SMALL_RUN = 1, 0
        a_plan(code="yearly", unit_amount_minor=2_000_000, interval_unit="year")
        sentences, _ = previewed(operator, account, said(plan="yearly", quantity="1"))
        assert (
            sentences[-1] == "The new period isn&#x27;t billed yet: the day&#x27;s run is held, and a person decides."
        )

    def test_offers_the_plans_of_its_currency_that_are_not_retired(self, operator: Client, account: Account) -> None:
        a_plan(code="euro", currency="EUR")
        a_plan(code="old")
        Plan.objects.filter(code__in=["old", "gold"]).update(retired=True)
        content = operator.get(path_of(account, "terms")).content.decode()
        assert re.findall(r'<option value="(\w+)"', content) == ["gold"]
        assert '<input type="submit" class="default" value="Preview">' in content

    @pytest.mark.parametrize(
        ("changes", "errors"),
        [
            ({"quantity": "0"}, {"quantity": ["Ensure this value is greater than or equal to 1."]}),
            (
                {"unit_price": "much"},
                {"unit_price": ["Enter an amount in USD with digits and a decimal point, like 20.50."]},
            ),
            (
                {"effective": "later"},
                {"effective": ["Select a valid choice. later is not one of the available choices."]},
            ),
        ],
    )
    def test_refuses_what_is_no_value(
        self, operator: Client, account: Account, changes: dict[str, str], errors: dict[str, list[str]]
    ) -> None:
        before = state()
        response = operator.post(path_of(account, "terms"), said(**changes))
        assert dict(response.context["form"].errors) == errors
        assert state() == before

    def test_refuses_what_is_no_change(self, operator: Client, account: Account) -> None:
        before = state()
        found = messages_of(operator, path_of(account, "terms"), said(quantity="1"))
        assert found == ["These are the account's terms already."]
        assert state() == before


class TestAnotherBillingDay:
    def test_shows_what_is_credited_on_that_day(self, operator: Client, account: Account) -> None:
        data = said(effective="anchor_date", anchor_date="2026-01-21", quantity="1")
        before = state()
        sentences, seen = previewed(operator, account, data)
        assert state() == before
        assert sentences == [
            "From 21 Jan 2026 on: Gold, 1 times 1,999.00 USD, 1,999.00 USD a period.",
            "The next billing day is 21 Jan 2026.",
            "On 21 Jan 2026, if nothing else changes until then:",
            "Unused days of Gold, 21 Jan to 31 Jan 2026: -709.32 USD.",
            "709.32 USD is credited, 709.32 USD of it to the account&#x27;s credit.",
        ]
        assert messages_of(operator, path_of(account, "terms"), data | {"seen": seen}) == ["The terms were changed."]
        assert "The next billing day is 21 Jan 2026." in page(operator, f"accounts/account/{account.id}/change/")

    def test_in_a_later_period_says_that_it_is_reckoned_then(self, operator: Client, account: Account) -> None:
        data = said(effective="anchor_date", anchor_date="2026-02-10")
        sentences, _ = previewed(operator, account, data)
        assert sentences[1:] == [
            "The next billing day is 1 Feb 2026.",
            "Nothing is billed now.",
            "What is left of the period that runs on that day is credited then, and a new one begins.",
        ]

    def test_can_begin_with_a_later_period(self, operator: Client, account: Account) -> None:
        data = said(effective="period_start", period_start="2026-03-01")
        sentences, seen = previewed(operator, account, data)
        assert sentences[0] == "From 1 Mar 2026 on: Gold, 2 times 1,999.00 USD, 3,998.00 USD a period."
        assert messages_of(operator, path_of(account, "terms"), data | {"seen": seen}) == ["The terms were changed."]
        assert account.terms.latest("id").effective_from == datetime.date(2026, 3, 1)

    @pytest.mark.parametrize(
        ("day", "error"),
        [
            ("", "Give the day."),
            ("2026-03-02", "2026-03-02 is not the start of a period. The next one starts on 2026-02-01."),
            ("2026-01-15", "Must be 2026-01-16 or later."),
        ],
    )
    def test_of_a_later_period_are_refused_at_its_day(
        self, operator: Client, account: Account, day: str, error: str
    ) -> None:
        before = state()
        response = operator.post(path_of(account, "terms"), said(effective="period_start", period_start=day))
        assert dict(response.context["form"].errors) == {"period_start": [error]}
        assert state() == before

    def test_may_be_free(self, operator: Client, account: Account) -> None:
        data = said(unit_price="0.00", effective="period_end")
        sentences, _ = previewed(operator, account, data)
        assert sentences[0] == "From 1 Feb 2026 on: Gold, 2 times 0.00 USD, 0.00 USD a period."

    def test_is_a_day(self, operator: Client, account: Account) -> None:
        before = state()
        response = operator.post(path_of(account, "terms"), said(effective="anchor_date"))
        assert dict(response.context["form"].errors) == {"anchor_date": ["Give the day."]}
        past = operator.post(path_of(account, "terms"), said(effective="anchor_date", anchor_date="2026-01-15"))
        assert dict(past.context["form"].errors) == {"anchor_date": ["Must be 2026-01-16 or later."]}
        other = operator.post(path_of(account, "terms"), said(anchor_date="2026-01-21"))
        assert list(other.context["form"].errors) == ["anchor_date"]
        assert state() == before


class TestPendingChange:
    def test_shows_on_the_page_and_is_taken_back(self, operator: Client, account: Account) -> None:
        data = said(effective="period_end")
        sentences, seen = previewed(operator, account, data)
        assert sentences[-1] == "Nothing is billed now."
        assert messages_of(operator, path_of(account, "terms"), data | {"seen": seen}) == ["The terms were changed."]
        sentence = "From 1 Feb 2026 on it is billed 3,998.00 USD a period (Gold x 2)."
        path = f"accounts/account/{account.id}/change/"
        assert sentence in page(operator, path)
        withdraw = path_of(account, "withdraw-terms")
        assert withdraw in page(operator, path)
        assert messages_of(operator, withdraw, {"reason": "stays"}) == ["The pending terms were withdrawn."]
        content = page(operator, path)
        assert sentence not in content
        assert withdraw not in content
        before = state()
        assert messages_of(operator, withdraw, {"reason": "again"}) == ["No terms are pending any more."]
        assert state() == before
