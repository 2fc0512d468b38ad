"""Reading and changing accounts by API."""

import uuid
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from accounts.terms import add_terms, terms_of
from invoices.credits import grant_credit
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, a_plan, an_account, at, billed
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.unchanged import nothing_moves


def _names(response: Any) -> list[str]:
    assert response.status_code == 200
    return [account["name"] for account in response.json()["results"]]


@rolled_back
class TestGetAccount:
    def test_shows_what_it_owes(self, api: ApiClient) -> None:
        account = an_account()
        grant_credit(account_id=account.id, amount_minor=300, reason="sorry", author="test", today=TODAY, now=NOW)
        shown = api.get(f"/v1/accounts/{account.id}").json()
        assert (shown["balance_minor"], shown["credit_balance_minor"]) == (-300, 300)

    def test_shows_the_terms_in_force_today(self, api: ApiClient) -> None:
        account = an_account(quantity=2)
        billed(as_of=TODAY)
        later = TODAY.replace(day=10)
        with time_machine.travel(at(later), tick=False):
            change = {"quantity": 5, "proration": "none", "reason": "grew"}
            assert api.post(f"/v1/accounts/{account.id}/terms", change, once="1").status_code == 200
            after = api.get(f"/v1/accounts/{account.id}").json()
        before = api.get(f"/v1/accounts/{account.id}").json()
        assert (before["quantity"], after["quantity"]) == (2, 5)
        assert (before["plan"], before["unit_amount_minor"]) == (after["plan"], after["unit_amount_minor"])

    def test_shows_that_a_sweep_moved_it_on(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY)
        shown = api.get(f"/v1/accounts/{account.id}").json()
        assert (shown["status"], shown["rebilling_date"], shown["balance_minor"]) == ("ACTIVE", "2026-02-01", 0)

    @pytest.mark.parametrize("id_", [uuid.UUID(int=0), uuid.uuid4()])
    def test_finds_no_unknown_id(self, api: ApiClient, id_: uuid.UUID) -> None:
        an_account()
        problem_of(api.get(f"/v1/accounts/{id_}"), status=404, slug="unknown-account")

    @pytest.mark.parametrize("id_", ["1", "019a9c3e", "%00", "x" * 2000, "0193'--", "\u00e9", "a/b/c"])
    def test_finds_nothing_under_a_malformed_id(self, api: ApiClient, id_: str) -> None:
        problem_of(api.get(f"/v1/accounts/{id_}"), status=404, slug="not-found")


@rolled_back
class TestListAccounts:
    def test_shows_the_newest_first(self, api: ApiClient) -> None:
        for name in ("one", "two", "three"):
            an_account(name=name)
        assert _names(api.get("/v1/accounts")) == ["three", "two", "one"]

    def test_filters_by_status(self, api: ApiClient) -> None:
        gone = an_account(name="gone")
        an_account(name="here")
        close_account(account_id=gone.id, reason="asked", author="test", today=TODAY, now=NOW)
        assert _names(api.get("/v1/accounts", status="INACTIVE")) == ["gone"]
        assert _names(api.get("/v1/accounts", status="PENDING")) == ["here"]
        assert _names(api.get("/v1/accounts", status="PAST_DUE")) == []

    def test_filters_by_plan(self, api: ApiClient) -> None:
        an_account(name="basic", plan=a_plan(code="basic"))
        an_account(name="pro", plan=a_plan(code="pro"))
        assert _names(api.get("/v1/accounts", plan="basic")) == ["basic"]

    def test_filters_by_the_plan_of_the_terms_in_force_today(self, api: ApiClient) -> None:
        basic, pro = a_plan(code="basic"), a_plan(code="pro")
        moved = an_account(name="moved", plan=basic)
        an_account(name="stays", plan=basic)
        later = TODAY.replace(day=10)
        terms = terms_of([moved.id])[moved.id].in_force(TODAY)._replace(plan_id=pro.id, effective_from=later)
        add_terms(terms={moved.id: terms}, reason="upgraded", author="test", now=NOW)
        assert _names(api.get("/v1/accounts", plan="basic")) == ["stays", "moved"]
        assert _names(api.get("/v1/accounts", plan="pro")) == []
        with time_machine.travel(at(later), tick=False):
            assert _names(api.get("/v1/accounts", plan="basic")) == ["stays"]
            assert _names(api.get("/v1/accounts", plan="pro")) == ["moved"]

    @pytest.mark.parametrize("email", ["ada@example.com", "ADA@Example.COM"])
    def test_filters_by_email_whatever_its_case(self, api: ApiClient, email: str) -> None:
        an_account(name="ada", email="Ada@Example.com")
        an_account(name="other", email="ada@example.com.org")
        assert _names(api.get("/v1/accounts", email=email)) == ["ada"]
        assert _names(api.get("/v1/accounts", email="da@example.com")) == []

    def test_filters_by_the_days_of_opening_with_both_ends_included(self, api: ApiClient) -> None:
        for number in (1, 2, 3, 4):
            an_account(name=str(number), today=TODAY.replace(day=number))
        assert _names(api.get("/v1/accounts", created_since="2026-01-03")) == ["4", "3"]
        assert _names(api.get("/v1/accounts", created_until="2026-01-02")) == ["2", "1"]
        both = api.get("/v1/accounts", created_since="2026-01-02", created_until="2026-01-03")
        assert _names(both) == ["3", "2"]

    def test_counts_the_days_of_opening_by_the_billing_time_zone(self, api: ApiClient, settings: Any) -> None:
        settings.BILLING_TIME_ZONE = "America/New_York"
        for hour in (4, 5):
            an_account(name=str(hour), now=NOW.replace(hour=hour))
        assert _names(api.get("/v1/accounts", created_until="2025-12-31")) == ["4"]
        assert _names(api.get("/v1/accounts", created_since="2026-01-01")) == ["5"]

    def test_filters_by_external_reference(self, api: ApiClient) -> None:
        an_account(name="ours", external_reference="crm-1")
        an_account(name="other", external_reference="crm-10")
        assert _names(api.get("/v1/accounts", external_reference="crm-1")) == ["ours"]
        assert _names(api.get("/v1/accounts", external_reference="crm-2")) == []

    def test_filters_by_rebilling_date(self, api: ApiClient) -> None:
        an_account(name="now")
        an_account(name="later", anchor_date=TODAY.replace(day=15))
        assert _names(api.get("/v1/accounts", rebilling_date="2026-01-15")) == ["later"]
        assert _names(api.get("/v1/accounts", rebilling_date="2026-01-15", status="ACTIVE")) == []

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("status", "active"),
            ("status", "ASLEEP"),
            ("status", ""),
            ("external_reference", ""),
            ("plan", "unknown"),
            ("plan", "pro\0"),
            ("external_reference", "a\0b"),
            ("rebilling_date", "01/02/2026"),
            ("rebilling_date", "2026-2-1"),
            ("rebilling_date", "0000-00-00"),
            ("rebilling_date", "1969-12-31"),
            ("rebilling_date", "2201-01-01"),
            ("rebilling_date", "9999-01-01"),
            ("email", ""),
            ("email", "a\0b"),
            ("state", "ACTIVE"),
            ("page_size", "0"),
            ("page_size", "201"),
            ("page_size", "-1"),
            ("page_size", "1.0"),
            ("page_size", "\u0661"),
            ("page_size", "9" * 5000),
        ],
    )
    def test_refuses_an_invalid_filter(self, api: ApiClient, name: str, value: str) -> None:
        problem = problem_of(api.get("/v1/accounts", **{name: value}), status=400, slug="invalid-request")
        assert list(problem["errors"]) == [name]

    def test_refuses_a_filter_given_twice(self, api: ApiClient) -> None:
        response = api.get("/v1/accounts", status=["ACTIVE", "PENDING"])
        problem = problem_of(response, status=400, slug="invalid-request")
        assert problem["errors"] == {"status": ["Given more than once."]}

    def test_takes_as_many_statements_for_2_as_for_40(self, api: ApiClient) -> None:
        counts = []
        for number in (2, 40):
            while Account.objects.count() < number:
                an_account()
            with CaptureQueriesContext(connection) as queries:
                assert len(api.get("/v1/accounts").json()["results"]) == number
            counts.append(len(queries))
        assert counts == [7, 7]  # the key, the limits' three, the page, the balances, the terms


@rolled_back
class TestChangeAccount:
    def test_changes_what_is_named_and_nothing_else(self, api: ApiClient) -> None:
        account = an_account(payment_method="pm_1", payment_customer="cus_1", metadata={"a": 1})
        before = api.get(f"/v1/accounts/{account.id}").json()
        changes = {
            "name": "Grace",
            "email": "grace@example.com",
            "collection_method": "send_invoice",
            "net_days": 14,
            "payment_method": "pm_2",
            "metadata": {"b": 2},
        }
        response = api.patch(f"/v1/accounts/{account.id}", changes)
        assert response.status_code == 200
        assert response.json() == before | changes
        assert api.get(f"/v1/accounts/{account.id}").json() == before | changes

    def test_clears_a_payment_reference_with_null(self, api: ApiClient) -> None:
        account = an_account(payment_method="pm_1")
        assert api.patch(f"/v1/accounts/{account.id}", {"payment_method": None}).json()["payment_method"] is None
        account.refresh_from_db()
        assert account.payment_method == ""

    def test_changes_nothing_for_an_empty_object(self, api: ApiClient) -> None:
        account = an_account()
        with nothing_moves():
            assert api.patch(f"/v1/accounts/{account.id}", {}).status_code == 200

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("plan", "other"),
            ("quantity", 2),
            ("unit_amount_minor", 1),
            ("rebilling_date", "2026-02-01"),
            ("status", "ACTIVE"),
            ("balance_minor", 0),
            ("external_reference", "crm-2"),
            ("name", None),
            ("name", " "),
            ("email", "nobody"),
            ("collection_method", "by_pigeon"),
            ("net_days", "14"),
            ("reason", " "),
            ("reason", "x" * 501),
            ("quantity", "2"),
            ("quantity", None),
            ("metadata", {"nul": "\0"}),
        ],
    )
    def test_refuses_what_does_not_change_or_is_malformed(self, api: ApiClient, field: str, value: Any) -> None:
        account = an_account()
        with nothing_moves():
            response = api.patch(f"/v1/accounts/{account.id}", {"name": "Grace"} | {field: value})
            problem = problem_of(response, status=400, slug="invalid-request")
        assert list(problem["errors"]) == [field]

    def test_refuses_an_unknown_account(self, api: ApiClient) -> None:
        with nothing_moves():
            problem_of(api.patch(f"/v1/accounts/{uuid.uuid4()}", {}), status=404, slug="unknown-account")
