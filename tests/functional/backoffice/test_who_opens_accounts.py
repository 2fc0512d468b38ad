"""Who opens accounts in the admin, at what price, and what becomes of a form that is sent twice."""

import datetime
import logging
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError
from django.test import Client

from accounts.models import Account
from backoffice.models import User
from invoices.models import Invoice
from tests.builders import TODAY
from tests.functional.backoffice.action_requests import previewed, state
from tests.functional.backoffice.conftest import page
from tests.functional.backoffice.openings import PATH, SAID, opened, refused, said
from tests.support.databases import rolled_back

pytestmark = [rolled_back, pytest.mark.usefixtures("new_year", "gold")]

Capture = Callable[..., AbstractContextManager[list[Callable[[], Any]]]]


def permit(*codenames: str) -> None:
    """Sam, of the Support group, may do this, too."""
    User.objects.get(username="sam").user_permissions.add(*Permission.objects.filter(codename__in=codenames))


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
        permit("open_account")
        assert f'<a href="{PATH}" class="addlink">Open an account</a>' in page(support, "accounts/account/")
        account, _, _ = opened(support)
        assert account.changes.get(before={}).author == "staff:sam"

    @pytest.mark.parametrize(
        ("permission", "fields", "error"),
        [
            ("give_discount", {"percent": "100", "reason": "a friend"}, "You may not give an account a discount."),
            ("change_account_terms", {"unit_price": "0"}, "You may not give an account a price of its own."),
        ],
    )
    def test_gives_by_it_only_what_the_page_of_the_account_would(
        self, support: Client, permission: str, fields: dict[str, str], error: str
    ) -> None:
        """Else whoever may open accounts could give any price."""
        permit("open_account")
        assert not any(f'name="{name}"' in support.get(PATH).content.decode() for name in fields)
        assert refused(support, **fields) == ({"__all__": [error]}, [])
        permit(permission)
        account, _, _ = opened(support, **fields)
        assert account.invoices.get().total_minor == 0

    @pytest.mark.parametrize(
        ("name", "value"), [("amount", "5"), ("periods", "2"), ("until", "2026-03-01"), ("reason", "a friend")]
    )
    def test_is_refused_each_field_that_is_withheld(self, support: Client, name: str, value: str) -> None:
        permit("open_account", "change_account_terms")
        assert refused(support, **{name: value}) == ({"__all__": ["You may not give an account a discount."]}, [])

    def test_is_refused_also_when_the_preview_was_seen_with_the_permission(self, support: Client) -> None:
        permit("open_account", "give_discount")
        data = said(support, percent="100", reason="a friend")
        _, seen = previewed(support, PATH, data)
        User.objects.get(username="sam").user_permissions.remove(Permission.objects.get(codename="give_discount"))
        before = state()
        assert (support.post(PATH, data | {"seen": seen}).status_code, state()) == (200, before)

    def test_starts_in_the_past_only_with_the_permission_for_terms(self, support: Client) -> None:
        permit("open_account", "give_discount")
        catch_up = "One in the past is caught up from."
        assert catch_up not in support.get(PATH).content.decode()
        start = {"anchor_date": "2025-12-01", "rebilling_date": "2025-12-01"}
        error = "You may not start in the past: give 2026-01-01 or later."
        assert refused(support, **start) == ({"rebilling_date": [error]}, [])
        account, _, _ = opened(support, **start | {"rebilling_date": "2026-01-01"})
        assert account.first_rebilling_date == TODAY
        permit("change_account_terms")
        assert catch_up in support.get(PATH).content.decode()
        account, _, _ = opened(support, **start, name="Ada Byron")
        assert account.first_rebilling_date == datetime.date(2025, 12, 1)

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


class TestAPreviewOfWhatTheDatabaseRefuses:
    def test_logs_and_counts_nothing_but_the_opening_does(
        self,
        operator: Client,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        django_capture_on_commit_callbacks: Capture,
    ) -> None:
        """The period that it parks is of an account that isn't there."""

        def refuse(**given: Any) -> None:
            raise IntegrityError("invoice_number_once")

        monkeypatch.setattr("rebilling.invoice_periods.issue_invoices", refuse)
        data = said(operator)
        with caplog.at_level(logging.INFO), django_capture_on_commit_callbacks(execute=True):
            sentences, seen = previewed(operator, PATH, data)
        assert sentences[-1] == "The new period isn't billed yet: its invoice is refused, and a person decides."
        assert [record.message for record in caplog.records if record.name.startswith("rebilling.")] == []
        with caplog.at_level(logging.INFO), django_capture_on_commit_callbacks(execute=True):
            operator.post(PATH, data | {"seen": seen})
        logged = [record for record in caplog.records if record.name.startswith("rebilling.")]
        assert [(record.message, record.levelname) for record in logged] == [
            ("a period was parked", "ERROR"),
            ("metrics", "INFO"),
            ("metrics", "INFO"),
        ]
        assert [getattr(record, "parked", None) for record in logged] == [None, 1, None]
