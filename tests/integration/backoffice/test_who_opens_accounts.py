"""Who opens accounts in the admin, at what price, and what becomes of a form that is sent twice."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import Account, Plan
from backoffice.models import User
from invoices.models import Invoice
from tests.builders import NOW, a_plan
from tests.integration.backoffice.action_requests import previewed, state
from tests.integration.backoffice.conftest import page
from tests.integration.backoffice.openings import PATH, SAID, opened, said
from tests.support.databases import rolled_back

pytestmark = rolled_back

Capture = Callable[..., AbstractContextManager[list[Callable[[], Any]]]]


@pytest.fixture(autouse=True)
def new_year() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture(autouse=True)
def gold(db: None) -> Plan:
    return a_plan(code="gold")


class TestWhoMayOpenOne:
    @pytest.mark.parametrize("person", ["support", "newcomer"])
    def test_is_nobody_without_the_permission(self, request: pytest.FixtureRequest, person: str) -> None:
        client, data, before = request.getfixturevalue(person), SAID | {"submission": str(uuid.uuid4())}, state()
        assert (client.get(PATH).status_code, client.post(PATH, data).status_code) == (403, 403)
        assert "Open an account" not in client.get("/admin/accounts/account/").content.decode()
        assert state() == before

    def test_is_nobody_who_may_not_see_accounts(self, newcomer: Client) -> None:
        User.objects.get(username="new").user_permissions.add(Permission.objects.get(codename="open_account"))
        assert newcomer.get(PATH).status_code == 403

    def test_is_somebody_with_it_who_finds_it_on_the_list(self, support: Client) -> None:
        User.objects.get(username="sam").user_permissions.add(Permission.objects.get(codename="open_account"))
        assert f'<a href="{PATH}" class="addlink">Open an account</a>' in page(support, "accounts/account/")
        account, _, _ = opened(support)
        assert account.changes.get(before={}).author == "staff:sam"

    @pytest.mark.parametrize(
        ("permission", "fields"),
        [("give_discount", {"percent": "100", "reason": "a friend"}), ("change_account_terms", {"unit_price": "0"})],
    )
    def test_gives_by_it_only_what_the_page_of_the_account_would(
        self, support: Client, permission: str, fields: dict[str, str]
    ) -> None:
        """Else whoever may open accounts could give any price."""
        sam = User.objects.get(username="sam")
        sam.user_permissions.add(Permission.objects.get(codename="open_account"))
        assert not any(f'name="{name}"' in support.get(PATH).content.decode() for name in fields)
        account, _, _ = opened(support, **fields)
        assert account.invoices.get().total_minor == 1999
        sam.user_permissions.add(Permission.objects.get(codename=permission))
        account, _, _ = opened(support, **fields, name="Ada Byron")
        assert account.invoices.get().total_minor == 0

    @pytest.mark.parametrize(
        "changed",
        [
            {"name": "Bob"},
            {"email": "bob@example.com"},
            {"external_reference": "crm-7"},
            {"payment_customer": "cus_other"},
            {"payment_method": "pm_other"},
            {"collection_method": "send_invoice"},
        ],
    )
    def test_opens_nothing_for_another_customer_than_the_preview_named(
        self, operator: Client, changed: dict[str, str]
    ) -> None:
        data = said(operator, payment_customer="cus_1", payment_method="pm_1")
        _, seen = previewed(operator, PATH, data)
        before = state()
        response = operator.post(PATH, data | changed | {"seen": seen})
        assert (response.status_code, response.context["button"], state()) == (200, "Open an account", before)

    def test_is_nobody_without_the_token_of_the_form(self, operator: Client) -> None:
        data, before = said(operator), state()
        operator.handler.enforce_csrf_checks = True
        assert operator.post(PATH, data).status_code == 403
        assert state() == before


class TestTheSameFormSentTwice:
    """By a double click, or with the browser's way back."""

    def test_opens_one_account_and_leads_to_it(self, operator: Client) -> None:
        data = said(operator)
        page_of_it = f"/admin/accounts/account/{data['submission']}/change/"
        _, seen = previewed(operator, PATH, data)
        assert operator.post(PATH, data | {"seen": seen})["Location"] == page_of_it
        once = state()
        operator.get("/admin/")
        again = operator.post(PATH, data | {"seen": seen}, follow=True)
        assert again.redirect_chain == [(page_of_it, 302)]
        assert [str(message) for message in again.context["messages"]] == ["This account was opened before."]
        assert (state(), Account.objects.count(), Invoice.objects.count()) == (once, 1, 1)

    @pytest.mark.parametrize("changed", [{"name": "Somebody else"}, {"email": "else@example.com"}])
    def test_for_another_customer_begins_anew(self, operator: Client, changed: dict[str, str]) -> None:
        """After "back", with another name typed: that isn't lost, and the first customer's page isn't shown."""
        first, _, _ = opened(operator)
        once, data = state(), SAID | {"submission": str(first.id)} | changed
        response = operator.post(PATH, data)
        assert (response.status_code, response.context["preview"], state()) == (200, [], once)
        said_so = [str(message) for message in response.context["messages"]]
        assert said_so == ["This form has opened Ada Lovelace already. Nothing was opened now: go on here."]
        form = response.context["form"]
        assert {name: form.data[name] for name in changed} == changed
        data["submission"] = form.data["submission"]
        assert data["submission"] != str(first.id)
        _, seen = previewed(operator, PATH, data)
        operator.post(PATH, data | {"seen": seen})
        assert Account.objects.count() == 2

    def test_and_a_form_opened_anew_opens_another(self, operator: Client) -> None:
        first, _, _ = opened(operator)
        second, _, _ = opened(operator, name="Ada Byron")
        assert first.id != second.id
