"""That no money is collected is said where the staff look."""

from typing import Any

import pytest
from django.test import Client

from tests.functional.backoffice.action_requests import path_of
from tests.functional.backoffice.conftest import Billed
from tests.support.databases import rolled_back

pytestmark = rolled_back

LOGGING = "payments.gateways.logging_gateway.LoggingGateway"
STRIPE = "payments.gateways.stripe.gateway.StripeGateway"
NO_MONEY = (
    '<ul class="messagelist"><li class="warning">No money is collected: the logging gateway is configured. Payments '
    "are recorded as if they had succeeded. Set PAYMENT_GATEWAY to collect them.</li></ul>"
)
TRIAL = (
    '<ul class="messagelist"><li class="warning">A trial on this machine: no money is collected. The logging gateway '
    "records each payment as succeeded.</li></ul>"
)


@pytest.fixture
def pages(billed_account: Billed) -> list[str]:
    """The first page, an app's, a list, a row's, an action's form."""
    account = billed_account.account
    return [
        "/admin/",
        "/admin/accounts/",
        "/admin/accounts/account/",
        path_of(account, "change"),
        path_of(account, "credit"),
    ]


def says(client: Client, path: str, *, secure: bool) -> tuple[bool, bool]:
    """Whether the page says that no money is collected, and whether that this is a trial."""
    response = client.get(path, secure=secure)
    assert response.status_code == 200
    content = response.content.decode()
    return NO_MONEY in content, TRIAL in content


class TestGatewayNotice:
    def test_is_on_each_page_where_payments_are_only_logged(
        self, operator: Client, pages: list[str], settings: Any
    ) -> None:
        settings.SECURE, settings.PAYMENT_GATEWAY = True, LOGGING
        assert [says(operator, path, secure=True) for path in pages] == [(True, False)] * 5

    def test_is_only_on_the_first_page_without_https(self, operator: Client, pages: list[str], settings: Any) -> None:
        settings.SECURE, settings.PAYMENT_GATEWAY = False, LOGGING
        assert [says(operator, path, secure=False) for path in pages] == [(False, True)] + [(False, False)] * 4

    @pytest.mark.parametrize("secure", [True, False])
    def test_is_on_no_page_with_another_gateway(
        self, operator: Client, pages: list[str], settings: Any, secure: bool
    ) -> None:
        settings.SECURE, settings.PAYMENT_GATEWAY, settings.STRIPE_API_KEY = secure, STRIPE, ""
        assert [says(operator, path, secure=secure) for path in pages] == [(False, False)] * 5

    def test_is_not_for_those_who_have_not_logged_in(self, db: None, settings: Any) -> None:
        settings.SECURE, settings.PAYMENT_GATEWAY = True, LOGGING
        assert "logging gateway" not in Client().get("/admin/login/", secure=True).content.decode()
