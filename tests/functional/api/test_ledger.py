"""Reading the ledger by API."""

import datetime
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from invoices.credits import grant_credit
from invoices.models import InvoiceLine
from ledger.models import Entry
from tests.builders import TODAY, an_account, at, billed
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back

DAYS = ("effective_since", "effective_until")


def _credit(account: Account, amount_minor: int, day: datetime.date = TODAY) -> Entry:
    return grant_credit(
        account_id=account.id, amount_minor=amount_minor, reason="sorry", author="test", today=day, now=at(day)
    )


def _amounts(response: Any) -> list[tuple[str, int]]:
    assert response.status_code == 200
    return [(entry["type"], entry["amount_minor"]) for entry in response.json()["results"]]


@rolled_back
class TestListLedger:
    def test_shows_whole_entries_newest_first(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY)
        payment, charge = api.get(f"/v1/accounts/{account.id}/ledger").json()["results"]
        line = InvoiceLine.objects.get()
        assert charge == {
            "id": charge["id"],
            "account": str(account.id),
            "type": "charge",
            "amount_minor": 1999,
            "currency": "USD",
            "debit": "receivable",
            "credit": "revenue",
            "effective_on": "2026-01-01",
            "period_start": "2026-01-01",
            "period_end": "2026-02-01",
            "invoice": str(line.invoice_id),
            "line": str(line.id),
            "payment": None,
            "refund": None,
            "description": line.description,
            "idempotency_key": f"charge:{line.rebilling_id}",
            "reverses": None,
            "created_at": charge["created_at"],
            "created_by": "system:billing",
        }
        assert (payment["type"], payment["debit"], payment["credit"]) == ("payment", "cash", "receivable")
        assert (payment["payment"], payment["invoice"]) == (str(account.payments.get().id), str(line.invoice_id))
        assert api.get(f"/v1/ledger/{charge['id']}").json() == charge

    def test_shows_no_other_accounts_entries(self, api: ApiClient) -> None:
        _credit(an_account(), 100)
        assert _amounts(api.get(f"/v1/accounts/{an_account().id}/ledger")) == []

    def test_filters_by_type(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY)
        _credit(account, 100)
        assert _amounts(api.get(f"/v1/accounts/{account.id}/ledger", type="credit")) == [("credit", 100)]
        assert _amounts(api.get(f"/v1/accounts/{account.id}/ledger", type="write_off")) == []

    def test_filters_by_effective_date_with_both_ends_included(self, api: ApiClient) -> None:
        account = an_account()
        for day in (1, 2, 3, 4):
            _credit(account, day, datetime.date(2026, 1, day))
        path = f"/v1/accounts/{account.id}/ledger"
        assert _amounts(api.get(path, effective_since="2026-01-03")) == [("credit", 4), ("credit", 3)]
        assert _amounts(api.get(path, effective_until="2026-01-02")) == [("credit", 2), ("credit", 1)]
        both = api.get(path, effective_since="2026-01-02", effective_until="2026-01-03")
        assert _amounts(both) == [("credit", 3), ("credit", 2)]

    @pytest.mark.parametrize(
        ("name", "value"),
        [("type", "charges"), ("effective_since", "soon"), ("effective_until", "2026-13-01"), ("status", "x")]
        + [(name, day) for name in DAYS for day in ("1969-12-31", "2201-01-01", "9999-01-01")],
    )
    def test_refuses_an_invalid_filter(self, api: ApiClient, name: str, value: str) -> None:
        response = api.get(f"/v1/accounts/{an_account().id}/ledger", **{name: value})
        assert list(problem_of(response, status=400, slug="invalid-request")["errors"]) == [name]

    def test_takes_as_many_statements_for_2_as_for_40(self, api: ApiClient) -> None:
        account = an_account()
        counts = []
        for number in (2, 38):
            for _ in range(number):
                _credit(account, 1)
            with CaptureQueriesContext(connection) as queries:
                api.get(f"/v1/accounts/{account.id}/ledger")
            counts.append(len(queries))
        assert counts == [6, 6]  # the key, the limits' three, the account, the page

    def test_finds_no_unknown_account_or_entry(self, api: ApiClient) -> None:
        nobody = uuid.uuid4()
        problem_of(api.get(f"/v1/accounts/{nobody}/ledger"), status=404, slug="unknown-account")
        problem_of(api.get(f"/v1/accounts/{nobody}/balance"), status=404, slug="unknown-account")
        problem_of(api.get(f"/v1/ledger/{nobody}"), status=404, slug="unknown-entry")


@rolled_back
class TestBalance:
    def test_is_what_the_account_owes_now(self, api: ApiClient) -> None:
        account = an_account()
        _credit(account, 700)
        assert api.get(f"/v1/accounts/{account.id}/balance").json() == {
            "account": str(account.id),
            "as_of": None,
            "balance_minor": -700,
            "currency": "USD",
        }

    def test_is_what_it_owed_at_the_end_of_a_day(self, api: ApiClient) -> None:
        account = an_account()
        _credit(account, 100, datetime.date(2026, 1, 10))
        _credit(account, 20, datetime.date(2026, 1, 20))
        shown = [
            api.get(f"/v1/accounts/{account.id}/balance", as_of=f"2026-01-{day}").json()
            for day in ("09", "10", "19", "20")
        ]
        assert [balance["balance_minor"] for balance in shown] == [0, -100, -100, -120]
        assert shown[0]["as_of"] == "2026-01-09"

    def test_is_nothing_where_nothing_happened(self, api: ApiClient) -> None:
        assert api.get(f"/v1/accounts/{an_account().id}/balance", as_of="1970-01-01").json()["balance_minor"] == 0

    @pytest.mark.parametrize("as_of", ["", "today", "2026-1-1", "0000-00-00", "1969-12-31", "2201-01-01", "\0"])
    def test_refuses_a_date_out_of_range(self, api: ApiClient, as_of: str) -> None:
        response = api.get(f"/v1/accounts/{an_account().id}/balance", as_of=as_of)
        assert list(problem_of(response, status=400, slug="invalid-request")["errors"]) == ["as_of"]
