"""Discounts and tax rates in the admin: given and ended with a button, and shown where they count."""

from decimal import Decimal

import pytest
from django.test import Client

from accounts.models import Account
from accounts.tax_rates import create_tax_rate
from tests.builders import NOW, a_plan, an_account, billed
from tests.functional.backoffice.action_requests import logged, messages_of, path_of, state
from tests.functional.backoffice.conftest import page
from tests.support.databases import rolled_back

pytestmark = rolled_back

TODAY = NOW.date()
SPRING = {"reason": "spring offer"}


@pytest.fixture
def account() -> Account:
    return an_account(plan=a_plan(unit_amount_minor=10_000), today=TODAY)


class TestDiscount:
    @pytest.mark.parametrize(
        ("said", "words"),
        [
            ({"percent": "12,5 %"}, "12.5% off, for good, from "),
            ({"percent": "25", "periods": "3"}, "25% off, for 3 periods from "),
            ({"amount": "5.00", "until": "2100-01-01"}, "5.00 USD off, for periods from "),
        ],
    )
    def test_is_given_shown_and_ended(
        self, operator: Client, account: Account, said: dict[str, str], words: str
    ) -> None:
        shown = f"accounts/account/{account.id}/change/"
        assert "End the discount" not in page(operator, shown)
        assert messages_of(operator, path_of(account, "discount"), said | SPRING) == ["The discount was given."]
        content = page(operator, shown)
        assert words in content
        assert ("3 periods left" in content) == ("periods" in said)
        change = account.changes.latest("id")
        assert (change.reason, change.author) == ("spring offer", "staff:olga")
        assert logged() == [("olga", str(account.id), "Give a discount: spring offer")]
        ended = messages_of(operator, path_of(account, "end-discount"), {"reason": "over"})
        assert ended == ["The discount was ended."]
        account.refresh_from_db()
        assert account.discount_id is None

    @pytest.mark.parametrize(
        ("said", "errors"),
        [
            ({"percent": "100.5"}, {"percent": ["Must be from 0.001 to 100."]}),
            (
                {"percent": "ten"},
                {"percent": ["Enter a percentage with at most three decimal places, like 25 or 12.5."]},
            ),
            ({}, {"percent": ["Give either a percentage or an amount."]}),
            ({"percent": "5", "until": "2020-01-01"}, {"until": ["Must be after today, "]}),
            ({"percent": "5", "periods": "0"}, {"periods": ["Ensure this value is greater than or equal to 1."]}),
        ],
    )
    def test_that_is_none_is_refused_at_its_field(
        self, operator: Client, account: Account, said: dict[str, str], errors: dict[str, list[str]]
    ) -> None:
        operator.get(path_of(account, "discount"))
        before = state()
        response = operator.post(path_of(account, "discount"), said | SPRING)
        found = response.context["form"].errors
        assert found.keys() == errors.keys()
        for name, messages in errors.items():
            assert [shown.startswith(message) for shown, message in zip(found[name], messages, strict=True)] == [True]
        assert state() == before

    def test_is_no_button_of_support(self, support: Client, account: Account) -> None:
        before = state()
        assert support.post(path_of(account, "discount"), {"percent": "5"} | SPRING).status_code == 403
        assert state() == before


class TestTaxRate:
    def test_is_chosen_in_the_accounts_form(self, operator: Client, account: Account) -> None:
        rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
        form = operator.get(path_of(account, "update"))
        assert "VAT 21%, added to prices" in form.content.decode()
        said = {"name": account.name, "email": account.email, "net_days": "30"}
        said |= {"collection_method": "automatic", "tax_rate": str(rate.id), "reason": "registered"}
        said |= {f"initial-{name}": said[name] for name in ("name", "email", "net_days")}
        said |= {"initial-collection_method": "automatic", "initial-tax_rate": ""}
        assert messages_of(operator, path_of(account, "update"), said) == ["The account was changed."]
        account.refresh_from_db()
        assert account.tax_rate_id == rate.id
        assert "VAT 21%" in page(operator, f"accounts/account/{account.id}/change/")
        assert account.changes.latest("id").after == {"tax_rate": "VAT 21%"}

    def test_is_on_the_invoices_page_with_what_it_comes_to(self, operator: Client) -> None:
        rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
        account = an_account(plan=a_plan(unit_amount_minor=10_000), today=TODAY, tax_rate=rate.id)
        billed(as_of=TODAY)
        content = page(operator, f"invoices/invoice/{account.invoices.get().id}/change/")
        assert "VAT 21% of 100.00 USD: 21.00 USD" in content
        assert "121.00 USD" in content

    def test_is_listed_and_shown(self, support: Client) -> None:
        rate = create_tax_rate(name="VAT", percent=Decimal(0), exemption_reason="Reverse charge", now=NOW)
        assert "Reverse charge" in page(support, "accounts/taxrate/")
        assert "Reverse charge" in page(support, f"accounts/taxrate/{rate.id}/change/")
