"""Goodwill credit by API, and taking back a credit or a write-off."""

import uuid
from typing import Any

import pytest

from accounts.models import Account
from api.models import IdempotentAnswer
from ledger.balances import balance
from ledger.models import Entry
from tests.builders import TODAY, ScriptedGateway, an_account, billed
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.owing import owing_two_months, rows
from tests.support.unchanged import nothing_moves

SORRY = {"amount_minor": 500, "reason": "An hour of outage."}
WHY = {"reason": "A mistake."}


def _credit(api: ApiClient, account: Account, body: Any = SORRY, once: str | None = "credit-1") -> Any:
    return api.post(f"/v1/accounts/{account.id}/credits", body, once=once)


def _reverse(api: ApiClient, entry_id: Any, body: Any = WHY, once: str | None = "reversal-1") -> Any:
    return api.post(f"/v1/ledger/{entry_id}/reversals", body, once=once)


@rolled_back
class TestGrantCredit:
    def test_answers_with_the_entry(self, api: ApiClient) -> None:
        account = an_account()
        response = _credit(api, account)
        assert response.status_code == 201
        entry = response.json()
        assert (entry["type"], entry["debit"], entry["credit"]) == ("credit", "credits", "receivable")
        assert (entry["amount_minor"], entry["currency"]) == (500, "USD")
        assert (entry["effective_on"], entry["description"]) == ("2026-01-01", "An hour of outage.")
        assert entry["created_by"] == f"key:tests:{api.key.prefix}"
        assert balance(account_id=account.id) == -500

    def test_is_applied_to_open_invoices_at_once_oldest_first(self, api: ApiClient) -> None:
        account = owing_two_months()
        _credit(api, account, SORRY | {"amount_minor": 2500})
        assert rows(account) == [("PAID", 1999, 0), ("OPEN", 501, 0)]
        shown = api.get(f"/v1/accounts/{account.id}").json()
        assert (shown["balance_minor"], shown["credit_balance_minor"]) == (1498, 0)

    def test_is_used_for_the_next_charge_first(self, api: ApiClient) -> None:
        account = an_account()
        _credit(api, account)
        gateway = ScriptedGateway()
        billed(as_of=TODAY, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [1499]
        assert balance(account_id=account.id) == 0

    @pytest.mark.parametrize("amount", [0, -1])
    def test_refuses_an_invalid_amount(self, api: ApiClient, amount: int) -> None:
        account = an_account()
        response = _credit(api, account, SORRY | {"amount_minor": amount})
        assert list(problem_of(response, status=422, slug="unable-to-credit")["errors"]) == ["amount_minor"]
        assert Entry.objects.count() == 0

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("amount_minor", 2**63),
            ("amount_minor", "500"),
            ("amount_minor", 5.0),
            ("amount_minor", None),
            ("reason", ""),
            ("reason", "nul \0"),
            ("reason", "x" * 501),
            ("currency", "USD"),
        ],
    )
    def test_refuses_a_malformed_or_unknown_field(self, api: ApiClient, field: str, value: Any) -> None:
        account = an_account()
        with nothing_moves():
            response = _credit(api, account, SORRY | {field: value})
            assert list(problem_of(response, status=400, slug="invalid-request")["errors"]) == [field]

    def test_refuses_an_unknown_account(self, api: ApiClient) -> None:
        with nothing_moves():
            response = api.post(f"/v1/accounts/{uuid.uuid4()}/credits", SORRY, once="1")
            problem_of(response, status=404, slug="unknown-account")

    def test_refuses_without_an_idempotency_key(self, api: ApiClient) -> None:
        account = an_account()
        with nothing_moves():
            problem_of(_credit(api, account, once=None), status=400, slug="idempotency-key-missing")


@rolled_back
class TestReverseEntry:
    def test_mirrors_the_entry(self, api: ApiClient) -> None:
        account = an_account()
        credit = _credit(api, account).json()
        response = _reverse(api, credit["id"])
        assert response.status_code == 201
        entry = response.json()
        assert (entry["type"], entry["debit"], entry["credit"]) == ("reversal", "receivable", "credits")
        assert (entry["amount_minor"], entry["reverses"]) == (500, credit["id"])
        assert entry["description"] == "A mistake."
        assert balance(account_id=account.id) == 0

    def test_of_a_write_off_opens_the_invoice_again(self, api: ApiClient) -> None:
        account = owing_two_months()
        invoice = account.invoices.order_by("id")[0]
        entry = api.post(f"/v1/invoices/{invoice.id}/write-off", WHY, once="1").json()
        assert balance(account_id=account.id) == 1999
        response = _reverse(api, entry["id"])
        assert response.status_code == 201
        assert (response.json()["debit"], response.json()["credit"]) == ("receivable", "bad_debt")
        assert response.json()["invoice"] == str(invoice.id)
        assert [status for status, *_ in rows(account)] == ["OPEN", "OPEN"]
        assert balance(account_id=account.id) == 3998

    def test_refuses_the_second_time(self, api: ApiClient) -> None:
        credit = _credit(api, an_account()).json()
        _reverse(api, credit["id"])
        problem_of(_reverse(api, credit["id"], once="reversal-2"), status=409, slug="already-reversed")
        assert Entry.objects.filter(type="reversal").count() == 1

    @pytest.mark.parametrize("type_", ["charge", "payment"])
    def test_refuses_a_charge_and_a_payment(self, api: ApiClient, type_: str) -> None:
        account = an_account()
        billed(as_of=TODAY)
        with nothing_moves(but=IdempotentAnswer):
            problem = problem_of(_reverse(api, Entry.objects.get(type=type_).id), status=409, slug="unable-to-reverse")
        assert problem["detail"] == (
            f"A {type_} is not reversed: only a credit or a write-off is. Correct an invoice with a credit note, and "
            "money with a refund or a payment."
        )
        assert (Entry.objects.count(), balance(account_id=account.id)) == (2, 0)

    def test_refuses_a_reversal(self, api: ApiClient) -> None:
        account = an_account()
        credit = _credit(api, account).json()
        reversal = _reverse(api, credit["id"]).json()
        with nothing_moves(but=IdempotentAnswer):
            problem_of(_reverse(api, reversal["id"]), status=409, slug="unable-to-reverse")
        assert balance(account_id=account.id) == 0

    def test_refuses_an_unknown_entry(self, api: ApiClient) -> None:
        with nothing_moves():
            problem_of(_reverse(api, uuid.uuid4()), status=404, slug="unknown-entry")

    @pytest.mark.parametrize("body", [{}, {"reason": " "}, {"reason": None}, {"reason": "x", "amount_minor": 1}])
    def test_refuses_a_malformed_body(self, api: ApiClient, body: Any) -> None:
        credit = _credit(api, an_account()).json()
        with nothing_moves():
            problem_of(_reverse(api, credit["id"], body), status=400, slug="invalid-request")

    def test_refuses_without_an_idempotency_key(self, api: ApiClient) -> None:
        credit = _credit(api, an_account()).json()
        with nothing_moves():
            problem_of(_reverse(api, credit["id"], once=None), status=400, slug="idempotency-key-missing")
