"""The page of an account's upcoming invoice."""

import re
import uuid
from decimal import Decimal

import time_machine
from django.test import Client

from accounts.models import Account
from accounts.tax_rates import create_tax_rate
from backoffice.upcoming_invoices import WHY_NONE
from invoices.credits import grant_credit
from subscriptions.lifecycle import close_account
from subscriptions.upcoming_invoice import NoUpcomingInvoice
from tests.builders import NOW, TODAY, a_plan, an_account, billed
from tests.functional.backoffice.conftest import page
from tests.support.databases import rolled_back
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back


def shown(client: Client, account: Account) -> list[str]:
    """The page's sentences and cells, after a look at the link to it."""
    path = f"accounts/account/{account.id}/upcoming-invoice/"
    assert f'<a href="/admin/{path}">What is billed next</a>' in page(client, f"accounts/account/{account.id}/change/")
    with nothing_moves(), time_machine.travel(NOW, tick=False):
        content = page(client, path)
    return re.findall(r"<(?:li|td)>(.*?)</(?:li|td)>", content)


class TestUpcomingInvoice:
    def test_is_shown_as_it_is_then_issued(self, support: Client) -> None:
        rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
        account = an_account(plan=a_plan(code="gold", unit_amount_minor=1000), quantity=2, tax_rate=rate.id)
        billed(as_of=TODAY)
        grant_credit(account_id=account.id, amount_minor=500, reason="sorry", author="test", today=TODAY, now=NOW)
        assert list(filter(None, shown(support, account))) == [
            "If nothing changes until then, it is issued on 1 Feb 2026, over 24.20 USD.",
            "19.20 USD is then collected at the gateway.",
            *("Gold x 2, 1 Feb to 28 Feb 2026", "1 Feb to 28 Feb 2026", "2", "10.00 USD", "0.00 USD"),
            *("20.00 USD", "4.20 USD", "24.20 USD"),
            *("VAT 21% of 20.00 USD: 4.20 USD", "4.20 USD"),
            *("credit paid so much", "5.00 USD"),
        ]

    def test_that_is_sent_says_by_when_it_is_to_be_paid(self, support: Client) -> None:
        account = an_account(collection_method="send_invoice", net_days=14)
        assert "The customer is to pay 19.99 USD by 15 Jan 2026." in shown(support, account)

    def test_for_nothing_is_not_collected(self, support: Client) -> None:
        assert "Nothing of it is to be collected." in shown(support, an_account(unit_amount_minor=0))

    def test_is_none_for_a_reason(self, support: Client) -> None:
        account = an_account()
        close_account(account_id=account.id, reason="left", author="test", today=TODAY, now=NOW)
        assert "The account is closed." in shown(support, account)
        assert WHY_NONE.keys() == set(NoUpcomingInvoice)

    def test_needs_the_permission_to_see_the_account(self, newcomer: Client) -> None:
        assert newcomer.get(f"/admin/accounts/account/{an_account().id}/upcoming-invoice/").status_code == 403

    def test_of_an_unknown_account_is_not_found(self, support: Client) -> None:
        assert support.get(f"/admin/accounts/account/{uuid.uuid4()}/upcoming-invoice/").status_code == 404
