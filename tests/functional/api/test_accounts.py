"""Reading and changing accounts by API."""

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from rebilling.adjustments import grant_credit
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, a_plan, an_account, billed
from tests.support.api_client import ApiClient, nothing_moves, problem_of
from tests.support.databases import rolled_back


def _names(response: Any) -> list[str]:
    assert response.status_code == 200
    return [account["name"] for account in response.json()["results"]]


@rolled_back
class TestGetAccount:
    def test_shows_what_it_owes(self, api: ApiClient) -> None:
        account = an_account()
        grant_credit(account_id=account.id, amount_minor=300, reason="sorry", author="test", today=TODAY, now=NOW)
        assert api.get(f"/v1/accounts/{account.id}").json()["balance_minor"] == -300

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
        close_account(account_id=gone.id, reason="asked", author="test", now=NOW)
        assert _names(api.get("/v1/accounts", status="INACTIVE")) == ["gone"]
        assert _names(api.get("/v1/accounts", status="PENDING")) == ["here"]
        assert _names(api.get("/v1/accounts", status="PAST_DUE")) == []

    def test_filters_by_plan(self, api: ApiClient) -> None:
        an_account(name="basic", plan=a_plan(code="basic"))
        an_account(name="pro", plan=a_plan(code="pro"))
        assert _names(api.get("/v1/accounts", plan="basic")) == ["basic"]

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
        assert counts == [3, 3]  # the key, the page, the balances


@rolled_back
class TestChangeAccount:
    def test_changes_what_is_named_and_nothing_else(self, api: ApiClient) -> None:
        account = an_account(payment_method="pm_1", payment_customer="cus_1", metadata={"a": 1})
        before = api.get(f"/v1/accounts/{account.id}").json()
        changes = {
            "name": "Grace",
            "email": "grace@example.com",
            "quantity": 3,
            "payment_method": "pm_2",
            "metadata": {"b": 2},
        }
        response = api.patch(f"/v1/accounts/{account.id}", changes)
        assert response.status_code == 200
        assert response.json() == before | changes
        assert api.get(f"/v1/accounts/{account.id}").json() == before | changes

    def test_charges_the_new_quantity_from_the_next_period_on(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY)
        api.patch(f"/v1/accounts/{account.id}", {"quantity": 2})
        billed(as_of=TODAY.replace(month=2))
        entries = api.get(f"/v1/accounts/{account.id}/ledger", type="charge").json()["results"]
        assert [entry["amount_minor"] for entry in entries] == [3998, 1999]

    def test_clears_a_payment_reference_with_null(self, api: ApiClient) -> None:
        account = an_account(payment_method="pm_1")
        assert api.patch(f"/v1/accounts/{account.id}", {"payment_method": None}).json()["payment_method"] is None
        account.refresh_from_db()
        assert account.payment_method == ""

    def test_changes_nothing_for_an_empty_object(self, api: ApiClient) -> None:
        account = an_account()
        with nothing_moves():
            assert api.patch(f"/v1/accounts/{account.id}", {}).status_code == 200

    @pytest.mark.parametrize("quantity", [0, -1, 2**31, 2**62])
    def test_refuses_a_quantity_out_of_range(self, api: ApiClient, quantity: int) -> None:
        account = an_account()
        with nothing_moves():
            response = api.patch(f"/v1/accounts/{account.id}", {"quantity": quantity})
            problem = problem_of(response, status=422, slug="invalid")
        assert list(problem["errors"]) == ["quantity"]

    def test_refuses_a_quantity_that_takes_the_charge_above_the_maximum(self, api: ApiClient) -> None:
        account = an_account(unit_amount_minor=50_000_000)
        with nothing_moves():
            problem = problem_of(api.patch(f"/v1/accounts/{account.id}", {"quantity": 2}), status=422, slug="invalid")
        assert problem["errors"] == {
            "quantity": [
                "A period would cost 1,000,000.00 USD, which is more than 999,999.99 USD "
                "(the setting MAX_MOVEMENT_MINOR)."
            ]
        }
        assert api.patch(f"/v1/accounts/{account.id}", {"quantity": 1}).status_code == 200

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("plan", "other"),
            ("unit_amount_minor", 1),
            ("rebilling_date", "2026-02-01"),
            ("status", "ACTIVE"),
            ("balance_minor", 0),
            ("external_reference", "crm-2"),
            ("name", None),
            ("name", " "),
            ("email", "nobody"),
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
