"""Writing off by API."""

import uuid
from typing import Any

import pytest

from accounts.models import Account
from api.models import Scope
from ledger.balances import balance
from ledger.models import Entry
from payments.gateways.port import Unknown
from payments.models import Payment
from tests.builders import NOW, TODAY, ScriptedGateway, an_account, billed
from tests.support.api_client import ApiClient, nothing_moves, problem_of
from tests.support.databases import rolled_back
from tests.support.owing import owing_two_months, received, rows

WHY = {"reason": "The customer is insolvent."}


def _write_off(api: ApiClient, account: Account, body: Any = WHY, once: str | None = "write-off-1") -> Any:
    return api.post(f"/v1/accounts/{account.id}/write-offs", body, once=once)


def _charge_of(account: Account, at: int = 0) -> str:
    return str(account.rebillings.order_by("period_start")[at].charge_id)


@rolled_back
class TestWriteOff:
    def test_answers_with_an_entry_for_each_unpaid_charge(self, api: ApiClient) -> None:
        account = owing_two_months()
        received(account, 500)
        response = _write_off(api, account)
        assert response.status_code == 201
        assert response.json().keys() == {"entries"}
        january, february = response.json()["entries"]
        assert january == {
            "id": january["id"],
            "account": str(account.id),
            "type": "write_off",
            "amount_minor": 1499,
            "currency": "USD",
            "debit": "bad_debt",
            "credit": "receivable",
            "effective_on": "2026-01-01",
            "period_start": "2026-01-01",
            "period_end": "2026-02-01",
            "payment": None,
            "description": "The customer is insolvent.",
            "idempotency_key": f"write_off:{_charge_of(account)}:1",
            "reverses": None,
            "created_at": "2026-01-01T06:00:00Z",
            "created_by": f"key:tests:{api.key.prefix}",
        }
        assert (february["amount_minor"], february["period_start"]) == (1999, "2026-02-01")
        assert api.get(f"/v1/ledger/{january['id']}").json() == january
        shown = api.get(f"/v1/accounts/{account.id}").json()
        assert (shown["status"], shown["balance_minor"]) == ("ACTIVE", 0)

    def test_of_one_charge_leaves_the_others(self, api: ApiClient) -> None:
        account = owing_two_months()
        response = _write_off(api, account, WHY | {"charge": _charge_of(account, 1)})
        assert [entry["period_start"] for entry in response.json()["entries"]] == ["2026-02-01"]
        assert rows(account) == [("UNPAID", 0, 0), ("WRITTEN_OFF", 0, 0)]
        assert balance(account_id=account.id) == 1999

    def test_is_undone_by_a_reversal(self, api: ApiClient) -> None:
        account = owing_two_months()
        (_, february) = _write_off(api, account).json()["entries"]
        reversal = api.post(f"/v1/ledger/{february['id']}/reversals", {"reason": "They paid after all."}, once="1")
        assert reversal.status_code == 201
        assert (reversal.json()["debit"], reversal.json()["credit"]) == ("receivable", "bad_debt")
        assert rows(account) == [("WRITTEN_OFF", 0, 0), ("UNPAID", 0, 0)]
        with nothing_moves():
            charge = api.post(f"/v1/ledger/{_charge_of(account)}/reversals", {"reason": "No."})
            problem_of(charge, status=400, slug="idempotency-key-missing")
        charge = api.post(f"/v1/ledger/{_charge_of(account)}/reversals", {"reason": "No."}, once="2")
        problem_of(charge, status=409, slug="unable-to-reverse")
        assert balance(account_id=account.id) == 1999

    def test_is_written_off_once_under_its_key(self, api: ApiClient) -> None:
        account = owing_two_months()
        first = _write_off(api, account)
        with nothing_moves():
            again = _write_off(api, account)
        assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
        problem_of(_write_off(api, account, once="write-off-2"), status=409, slug="nothing-unpaid")
        assert (Entry.objects.filter(type="write_off").count(), balance(account_id=account.id)) == (2, 0)

    def test_refuses_where_nothing_is_unpaid(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY)
        problem_of(_write_off(api, account), status=409, slug="nothing-unpaid")
        chosen = _write_off(api, account, WHY | {"charge": _charge_of(account)}, once="2")
        assert "is PAID, not UNPAID" in problem_of(chosen, status=409, slug="nothing-unpaid")["detail"]
        assert (Entry.objects.count(), rows(account)) == (2, [("PAID", 0, 1999)])

    def test_refuses_while_the_outcome_is_not_known(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="timed out")))
        problem_of(_write_off(api, account), status=409, slug="nothing-unpaid")
        assert (Entry.objects.count(), rows(account)) == (1, [("CHARGED", 0, 0)])

    def test_refuses_while_a_further_payment_is_in_flight(self, api: ApiClient) -> None:
        account = owing_two_months()
        Payment.objects.create(
            account=account,
            charge_id=_charge_of(account),
            amount_minor=1999,
            currency="USD",
            status=Payment.Status.SUBMITTED,
            gateway="scripted",
            submitted_at=NOW,
        )
        problem_of(_write_off(api, account), status=409, slug="unable-to-write-off")
        assert (Entry.objects.filter(type="write_off").count(), balance(account_id=account.id)) == (0, 3998)

    def test_refuses_a_charge_of_another_account(self, api: ApiClient) -> None:
        account, other = an_account(), an_account()
        billed(as_of=TODAY)
        response = _write_off(api, account, WHY | {"charge": _charge_of(other)})
        assert list(problem_of(response, status=422, slug="unknown-charge")["errors"]) == ["charge"]
        assert Entry.objects.filter(type="write_off").count() == 0

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("charge", None),
            ("charge", ""),
            ("charge", "all"),
            ("charge", 7),
            ("charge", []),
            ("charge", "0193aaaa000070008000000000000000"),
            ("charge", "urn:uuid:0193aaaa-0000-7000-8000-000000000000"),
            ("charge", "0193aaaa-0000-7000-8000-000000000000\n"),
            ("charges", []),
            ("amount_minor", 100),
            ("reason", " "),
            ("reason", None),
            ("reason", "x" * 501),
        ],
    )
    def test_refuses_a_malformed_or_unknown_field(self, api: ApiClient, field: str, value: Any) -> None:
        account = owing_two_months()
        with nothing_moves():
            response = _write_off(api, account, WHY | {field: value})
            assert list(problem_of(response, status=400, slug="invalid-request")["errors"]) == [field]

    def test_refuses_without_a_reason(self, api: ApiClient) -> None:
        account = owing_two_months()
        with nothing_moves():
            problem = problem_of(_write_off(api, account, {}), status=400, slug="invalid-request")
        assert list(problem["errors"]) == ["reason"]

    def test_refuses_an_unknown_account(self, api: ApiClient) -> None:
        with nothing_moves():
            response = api.post(f"/v1/accounts/{uuid.uuid4()}/write-offs", WHY, once="1")
            problem_of(response, status=404, slug="unknown-account")

    def test_refuses_without_an_idempotency_key(self, api: ApiClient) -> None:
        account = owing_two_months()
        with nothing_moves():
            problem_of(_write_off(api, account, once=None), status=400, slug="idempotency-key-missing")

    def test_refuses_a_key_that_may_only_read(self) -> None:
        account = owing_two_months()
        reader = ApiClient(Scope.LEDGER_READ, Scope.ACCOUNTS_WRITE)
        with nothing_moves():
            problem_of(_write_off(reader, account), status=403, slug="missing-scope")
        assert _write_off(ApiClient(Scope.LEDGER_WRITE), account).status_code == 201
