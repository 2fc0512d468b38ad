"""Changes of terms that are booked wrongly, which the check of the books reports, and rightly, which it doesn't."""

from decimal import Decimal
from unittest import mock

import pytest

from accounts.models import Account
from rebilling.books import discrepancies
from rebilling.models import Proration
from subscriptions.discounts import give_discount
from tests.builders import NOW, TODAY, a_plan, an_account, billed
from tests.support.databases import rolled_back
from tests.support.forgeries import ANEW, copied, execute
from tests.support.terms import JAN_16, billed_account, changed

pytestmark = rolled_back


def names() -> set[str]:
    return {found.name for found in discrepancies()}


@pytest.fixture
def account(db: None) -> Account:
    """Billed for January, 31.00 less 10%."""
    account = an_account(plan=a_plan(unit_amount_minor=3100))
    give_discount(account_id=account.id, percent=Decimal(10), reason="agreed", author="ann", today=TODAY, now=NOW)
    billed(as_of=TODAY)
    return account


class TestTheCheckReports:
    @pytest.mark.parametrize("price_minor", [5579, 6200, 0])
    def test_a_price_that_the_terms_and_the_discount_do_not_say(self, account: Account, price_minor: int) -> None:
        with mock.patch("subscriptions.prorations.net_price_minor", return_value=price_minor):
            changed(account, quantity=2)
        assert names() == {"proration_of_no_terms"}

    def test_a_day_on_which_the_terms_are_not_the_first(self, account: Account) -> None:
        changed(account, quantity=1, unit_amount_minor=3101)
        first = f"(SELECT id FROM accounts_terms WHERE account_id = '{account.id}' ORDER BY id LIMIT 1)"
        nothing = dict.fromkeys(["credit_minor", "charge_minor", "credit_total_minor", "charge_total_minor"], "0")
        again = copied(
            "rebilling_proration", id=ANEW, terms_id=first, price_after_minor="2790", invoice_id="NULL", **nothing
        )
        assert names() == set()
        execute(again, id=Proration.objects.get().id)
        assert names() == {"proration_of_no_terms"}


class TestTheCheckPasses:
    def test_the_price_after_the_discount(self, account: Account) -> None:
        changed(account, quantity=2)
        assert (Proration.objects.get().price_after_minor, names()) == (5580, set())

    def test_a_period_that_was_cut_at_the_instant_at_which_it_was_found_due(self, db: None) -> None:
        account = billed_account()
        changed(account, anchor_date=JAN_16)
        account.rebillings.update(due_since=account.terms.latest("id").created_at)
        assert names() == set()
