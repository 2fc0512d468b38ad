"""Writing off an invoice by API."""

import uuid
from typing import Any

import pytest

from accounts.models import Account
from api.models import IdempotentAnswer, Scope
from ledger.balances import balance
from ledger.models import Entry
from payments.gateways.port import Unknown
from tests.builders import TODAY, ScriptedGateway, an_account, billed
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.owing import owing, owing_two_months, received, rows
from tests.support.unchanged import nothing_moves

WHY = {"reason": "The customer is insolvent."}


def _write_off(api: ApiClient, invoice_id: Any, body: Any = WHY, once: str | None = "write-off-1") -> Any:
    return api.post(f"/v1/invoices/{invoice_id}/write-off", body, once=once)


def _invoice_of(account: Account, at: int = 0) -> str:
    return str(account.invoices.order_by("id")[at].id)


@rolled_back
class TestWriteOff:
    def test_answers_with_the_entry_of_what_was_outstanding(self, api: ApiClient) -> None:
        account = owing()
        invoice_id = _invoice_of(account)
        received(account, 500)
        response = _write_off(api, invoice_id)
        assert response.status_code == 201
        entry = response.json()
        assert entry == {
            "id": entry["id"],
            "account": str(account.id),
            "type": "write_off",
            "amount_minor": 1499,
            "currency": "USD",
            "debit": "bad_debt",
            "credit": "receivable",
            "effective_on": "2026-01-01",
            "period_start": None,
            "period_end": None,
            "invoice": invoice_id,
            "line": None,
            "payment": None,
            "refund": None,
            "description": "The customer is insolvent.",
            "idempotency_key": f"write_off:{entry['id']}",
            "reverses": None,
            "created_at": entry["created_at"],
            "created_by": f"key:tests:{api.key.prefix}",
        }
        assert api.get(f"/v1/ledger/{entry['id']}").json() == entry
        invoice = api.get(f"/v1/invoices/{invoice_id}").json()
        assert (invoice["status"], invoice["written_off_minor"], invoice["outstanding_minor"]) == (
            "UNCOLLECTIBLE",
            1499,
            0,
        )
        shown = api.get(f"/v1/accounts/{account.id}").json()
        assert (shown["status"], shown["balance_minor"], shown["dunning_on"]) == ("ACTIVE", 0, None)

    def test_of_one_invoice_leaves_the_others(self, api: ApiClient) -> None:
        account = owing_two_months()
        assert _write_off(api, _invoice_of(account, 1)).status_code == 201
        assert [status for status, *_ in rows(account)] == ["OPEN", "UNCOLLECTIBLE"]
        assert balance(account_id=account.id) == 1999
        assert api.get(f"/v1/accounts/{account.id}").json()["status"] == "PAST_DUE"

    def test_is_undone_by_a_reversal(self, api: ApiClient) -> None:
        account = owing()
        entry = _write_off(api, _invoice_of(account)).json()
        reversal = api.post(f"/v1/ledger/{entry['id']}/reversals", {"reason": "They paid after all."}, once="1")
        assert reversal.status_code == 201
        assert rows(account) == [("OPEN", 0, 0)]
        assert balance(account_id=account.id) == 1999

    def test_is_written_off_once_under_its_key(self, api: ApiClient) -> None:
        account = owing()
        first = _write_off(api, _invoice_of(account))
        with nothing_moves():
            again = _write_off(api, _invoice_of(account))
        assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
        with nothing_moves(but=IdempotentAnswer):
            response = _write_off(api, _invoice_of(account), once="write-off-2")
            problem_of(response, status=409, slug="unable-to-write-off")
        assert (Entry.objects.filter(type="write_off").count(), balance(account_id=account.id)) == (1, 0)

    def test_refuses_while_the_outcome_is_not_known(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="timed out")))
        with nothing_moves():
            problem_of(_write_off(api, _invoice_of(account)), status=409, slug="payment-in-flight")
        assert (Entry.objects.count(), rows(account)) == (1, [("OPEN", 0, 0)])

    def test_refuses_while_a_further_payment_is_in_flight(self, api: ApiClient) -> None:
        account = owing()
        api.post(f"/v1/invoices/{_invoice_of(account)}/pay", once="1")
        with nothing_moves():
            problem_of(_write_off(api, _invoice_of(account)), status=409, slug="payment-in-flight")
        assert balance(account_id=account.id) == 1999

    @pytest.mark.parametrize(
        ("field", "value"),
        [("amount_minor", 100), ("charge", None), ("reason", " "), ("reason", None), ("reason", "x" * 501)],
    )
    def test_refuses_a_malformed_or_unknown_field(self, api: ApiClient, field: str, value: Any) -> None:
        account = owing()
        with nothing_moves():
            response = _write_off(api, _invoice_of(account), WHY | {field: value})
            assert list(problem_of(response, status=400, slug="invalid-request")["errors"]) == [field]

    def test_refuses_without_a_reason(self, api: ApiClient) -> None:
        account = owing()
        with nothing_moves():
            problem = problem_of(_write_off(api, _invoice_of(account), {}), status=400, slug="invalid-request")
        assert list(problem["errors"]) == ["reason"]

    def test_refuses_an_unknown_invoice(self, api: ApiClient) -> None:
        with nothing_moves():
            problem_of(_write_off(api, uuid.uuid4()), status=404, slug="unknown-invoice")

    def test_refuses_without_an_idempotency_key(self, api: ApiClient) -> None:
        account = owing()
        with nothing_moves():
            response = _write_off(api, _invoice_of(account), once=None)
            problem_of(response, status=400, slug="idempotency-key-missing")

    def test_refuses_a_key_that_may_only_read(self) -> None:
        account = owing()
        reader = ApiClient(Scope.LEDGER_READ, Scope.ACCOUNTS_WRITE)
        with nothing_moves():
            problem_of(_write_off(reader, _invoice_of(account)), status=403, slug="missing-scope")
        assert _write_off(ApiClient(Scope.LEDGER_WRITE), _invoice_of(account)).status_code == 201
