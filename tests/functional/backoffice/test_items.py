"""Items in the admin: added once what they come to was seen, listed on the account's page, and removed."""

import re
import uuid
from decimal import Decimal

import pytest
import time_machine
from django.test import Client

from accounts.models import Account
from accounts.tax_rates import create_tax_rate
from invoices.models import Invoice, Item
from tests.builders import NOW, a_plan, an_account, billed
from tests.functional.backoffice.action_requests import logged, messages_of, path_of, state
from tests.functional.backoffice.conftest import page
from tests.support.databases import rolled_back

pytestmark = rolled_back


@pytest.fixture
def account() -> Account:
    rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
    return an_account(plan=a_plan(unit_amount_minor=10_000), tax_rate=rate.id)


def said(**changes: str) -> dict[str, str]:
    form = {"description": "Setup", "kind": "charge", "quantity": "2", "unit_price": "20.50"}
    return form | {"billing": "next_invoice", "reason": "agreed", "submission": str(uuid.uuid4())} | changes


def previewed(client: Client, account: Account, data: dict[str, str]) -> tuple[list[str], str]:
    """The sentences of the preview, and what the form carries along because it was seen."""
    content = client.post(path_of(account, "item"), data).content.decode()
    found = re.search(r'<ul>((?:\s*<li>.*?</li>)+)\s*</ul>\s*<input type="hidden" name="seen" value="(\w+)">', content)
    assert found
    return re.findall(r"<li>(.*?)</li>", found[1]), found[2]


def table_of(client: Client, account: Account) -> str:
    content = page(client, f"accounts/account/{account.id}/change/")
    return content[content.index(">Items</h2>") : content.index(">Invoices</h2>")]


class TestAdd:
    def test_shows_what_it_comes_to_and_then_adds_it(self, operator: Client, account: Account) -> None:
        data, before = said(), state()
        with time_machine.travel(NOW, tick=False):
            sentences, seen = previewed(operator, account, data)
        assert state() == before
        assert sentences == [
            "Setup: 49.61 USD, with 8.61 USD of tax.",
            "It waits for the next invoice, and can be removed until then.",
            "If nothing else changes until then, the next invoice is issued on 1 Jan 2026, over 170.61 USD.",
        ]
        with time_machine.travel(NOW, tick=False):
            assert messages_of(operator, path_of(account, "item"), data | {"seen": seen}) == ["The item was added."]
        item = Item.objects.get()
        assert (item.quantity, item.amount_minor, item.author, item.reason) == (2, 4100, "staff:olga", "agreed")
        assert logged() == [("olga", str(account.id), "Add an item: agreed")]
        with time_machine.travel(NOW, tick=False):
            shown = table_of(operator, account)
        assert ("41.00 USD" in shown, "pending" in shown) == (True, True)

    def test_now_says_what_is_to_be_paid(self, operator: Client, account: Account) -> None:
        data = said(billing="now", quantity="1")
        sentences, seen = previewed(operator, account, data)
        assert sentences == ["Setup: 24.81 USD, with 4.31 USD of tax.", "24.81 USD is to be paid now."]
        messages_of(operator, path_of(account, "item"), data | {"seen": seen})
        assert Invoice.objects.get(account=account).total_minor == 2481

    def test_of_a_deduction_is_below_zero(self, operator: Client, account: Account) -> None:
        data = said(kind="deduct", quantity="1")
        sentences, seen = previewed(operator, account, data)
        assert sentences[0] == "Setup: -24.81 USD, with -4.31 USD of tax."
        messages_of(operator, path_of(account, "item"), data | {"seen": seen})
        assert Item.objects.get().amount_minor == -2050

    def test_sent_twice_is_added_once(self, operator: Client, account: Account) -> None:
        data = said()
        _, seen = previewed(operator, account, data)
        path = path_of(account, "item")
        messages_of(operator, path, data | {"seen": seen})
        before = state()
        assert messages_of(operator, path, data | {"seen": seen}) == ["This item was added before."]
        assert state() == before

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"quantity": "0"}, "quantity"),
            ({"unit_price": "1.505"}, "unit_price"),
            ({"unit_price": "0"}, "unit_price"),
            ({"unit_price": "-5"}, "unit_price"),
            ({"unit_price": "999999.99"}, "unit_price"),
            ({"kind": "deduct", "billing": "now"}, "billing"),
            ({"kind": "gift"}, "kind"),
            ({"description": ""}, "description"),
            ({"reason": " "}, "reason"),
        ],
    )
    def test_refuses_what_makes_no_item_at_its_field(
        self, operator: Client, account: Account, changes: dict[str, str], field: str
    ) -> None:
        before = state()
        response = operator.post(path_of(account, "item"), said(**changes))
        assert list(response.context["form"].errors) == [field]
        assert state() == before

    def test_is_no_button_of_support(self, support: Client, account: Account) -> None:
        before = state()
        assert support.post(path_of(account, "item"), said()).status_code == 403
        assert state() == before


class TestRemove:
    def test_offers_what_waits_and_removes_it(self, operator: Client, account: Account) -> None:
        assert "Remove an item" not in page(operator, f"accounts/account/{account.id}/change/")
        for data in (said(quantity="1"), said(kind="deduct", description="For the wait")):
            _, seen = previewed(operator, account, data)
            messages_of(operator, path_of(account, "item"), data | {"seen": seen})
        content = operator.get(path_of(account, "remove-item")).content.decode()
        assert ("Setup: 20.50 USD" in content, "For the wait: -41.00 USD" in content) == (True, True)
        item = Item.objects.get(amount_minor=2050)
        data = {"item": str(item.id), "reason": "a mistake"}
        assert messages_of(operator, path_of(account, "remove-item"), data) == ["The item was removed."]
        assert ", staff:olga: a mistake" in table_of(operator, account)
        billed(as_of=NOW.date())
        assert Invoice.objects.get(account=account).lines.count() == 2
        period = account.rebillings.get()
        assert "-41.00 USD" in page(operator, f"rebilling/rebilling/{period.id}/change/")

    def test_refuses_an_item_that_does_not_wait(self, operator: Client, account: Account) -> None:
        data = said(billing="now")
        _, seen = previewed(operator, account, data)
        messages_of(operator, path_of(account, "item"), data | {"seen": seen})
        before = state()
        removal = {"item": str(Item.objects.get().id), "reason": "a mistake"}
        response = operator.post(path_of(account, "remove-item"), removal)
        assert list(response.context["form"].errors) == ["item"]
        assert state() == before
