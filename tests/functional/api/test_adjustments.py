"""Credits and reversals by API: the calls that move money."""

import uuid
from typing import Any

import pytest

from accounts.models import Account
from ledger.balances import balance
from ledger.models import Entry
from tests.builders import TODAY, QueueInHand, ScriptedGateway, an_account, billed, delivered, swept
from tests.support.api_client import ApiClient, nothing_moves, problem_of
from tests.support.databases import rolled_back

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
        assert list(problem_of(response, status=422, slug="invalid")["errors"]) == ["amount_minor"]
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

    def test_gives_a_charge_back_as_credit(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY)
        charge = Entry.objects.get(type="charge")
        assert _reverse(api, charge.id).status_code == 201
        assert balance(account_id=account.id) == -1999

    def test_refuses_the_second_time(self, api: ApiClient) -> None:
        credit = _credit(api, an_account()).json()
        _reverse(api, credit["id"])
        problem_of(_reverse(api, credit["id"], once="reversal-2"), status=409, slug="already-reversed")
        assert Entry.objects.filter(type="reversal").count() == 1

    def test_refuses_a_payment(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY)
        payment = Entry.objects.get(type="payment")
        problem_of(_reverse(api, payment.id), status=409, slug="unable-to-reverse")
        assert (Entry.objects.count(), balance(account_id=account.id)) == (2, 0)

    def test_refuses_a_charge_whose_payment_is_in_flight(self, api: ApiClient) -> None:
        account = an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        # With no time left the worker charges, and leaves the collecting to a later message.
        delivered(bodies=queue.take(), queue=queue, seconds_left=0)
        charge = Entry.objects.get()
        problem_of(_reverse(api, charge.id), status=409, slug="unable-to-reverse")
        assert balance(account_id=account.id) == 1999

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
