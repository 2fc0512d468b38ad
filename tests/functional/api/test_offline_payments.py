"""Recording an offline payment by API."""

import uuid
from typing import Any

import pytest

from accounts.models import Account
from api.models import Scope
from ledger.balances import balance
from ledger.models import Entry
from payments.models import Payment
from tests.builders import an_account
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.owing import owing_two_months, rows
from tests.support.unchanged import nothing_moves

TRANSFER = {"amount_minor": 2500, "reference": "SEPA 17", "reason": "Paid by transfer."}


def _receive(api: ApiClient, account: Account, body: Any = TRANSFER, once: str | None = "payment-1") -> Any:
    return api.post(f"/v1/accounts/{account.id}/payments", body, once=once)


@rolled_back
class TestRecordOfflinePayment:
    def test_answers_with_the_payment(self, api: ApiClient) -> None:
        account = owing_two_months()
        response = _receive(api, account)
        assert response.status_code == 201
        payment = response.json()
        assert payment == {
            "id": payment["id"],
            "account": str(account.id),
            "invoice": None,
            "cause": "offline",
            "amount_minor": 2500,
            "excess_minor": 2500,
            "refunded_minor": 0,
            "currency": "USD",
            "status": "SUCCEEDED",
            "decline_code": None,
            "needs_review": False,
            "review_reason": None,
            "resolution": None,
            "resolved_by": None,
            "gateway": "offline",
            "gateway_reference": "SEPA 17",
            "submitted_at": "2026-01-01T06:00:00Z",
            "completed_at": "2026-01-01T06:00:00Z",
            "created_by": f"key:tests:{api.key.prefix}",
        }
        assert api.get(f"/v1/payments/{payment['id']}").json() == payment
        assert api.get(f"/v1/accounts/{account.id}/payments").json()["results"][0] == payment
        (entry,) = api.get(f"/v1/accounts/{account.id}/ledger", type="payment").json()["results"]
        assert (entry["payment"], entry["amount_minor"]) == (payment["id"], 2500)
        assert (entry["debit"], entry["credit"]) == ("cash", "receivable")
        assert (entry["description"], entry["created_by"]) == ("Paid by transfer.", f"key:tests:{api.key.prefix}")
        assert rows(account) == [("PAID", 1999, 0), ("OPEN", 501, 0)]
        shown = api.get(f"/v1/accounts/{account.id}").json()
        assert (shown["status"], shown["balance_minor"]) == ("PAST_DUE", 1498)

    def test_for_an_invoice_goes_to_it_and_the_excess_to_the_oldest(self, api: ApiClient) -> None:
        account = owing_two_months()
        january, february = account.invoices.order_by("id")
        payment = _receive(api, account, TRANSFER | {"invoice": str(february.id), "currency": "USD"}).json()
        assert (payment["invoice"], payment["excess_minor"]) == (str(february.id), 501)
        assert rows(account) == [("OPEN", 501, 0), ("PAID", 0, 1999)]
        assert api.get("/v1/payments", invoice=str(february.id)).json()["results"][0] == payment
        assert balance(account_id=account.id) == 1498
        january.refresh_from_db()
        assert january.outstanding_minor == 1498

    def test_is_recorded_once_under_its_key(self, api: ApiClient) -> None:
        account = owing_two_months()
        first = _receive(api, account)
        with nothing_moves():
            again = _receive(api, account)
            other = _receive(api, account, TRANSFER | {"amount_minor": 2501})
        assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
        problem_of(other, status=422, slug="idempotency-key-reused")
        assert _receive(api, account, TRANSFER | {"is_another": True}, once="payment-2").status_code == 201
        assert (Payment.objects.filter(gateway="offline").count(), balance(account_id=account.id)) == (2, -1002)

    @pytest.mark.parametrize("amount", [0, -1, -(2**63)])
    def test_refuses_an_invalid_amount(self, api: ApiClient, amount: int) -> None:
        account = an_account()
        response = _receive(api, account, TRANSFER | {"amount_minor": amount})
        assert list(problem_of(response, status=422, slug="unable-to-record-payment")["errors"]) == ["amount_minor"]
        assert (Entry.objects.count(), Payment.objects.count()) == (0, 0)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("amount_minor", 2**63),
            ("amount_minor", "2500"),
            ("amount_minor", 25.0),
            ("amount_minor", None),
            ("reference", ""),
            ("reference", None),
            ("reference", 17),
            ("reference", "nul \0"),
            ("reference", "x" * 201),
            ("reason", " "),
            ("reason", "x" * 501),
            ("currency", None),
            ("currency", "DOLLAR"),
            ("charge", "0193aaaa-0000-7000-8000-000000000000"),
            ("invoice", None),
            ("invoice", ""),
            ("invoice", "all"),
            ("invoice", 7),
            ("invoice", []),
            ("invoice", "0193aaaa000070008000000000000000"),
            ("invoice", "urn:uuid:0193aaaa-0000-7000-8000-000000000000"),
            ("invoice", "0193aaaa-0000-7000-8000-000000000000\n"),
            ("is_another", "true"),
            ("is_another", 1),
            ("is_another", None),
            ("received_on", "2026-01-01"),
        ],
    )
    def test_refuses_a_malformed_or_unknown_field(self, api: ApiClient, field: str, value: Any) -> None:
        account = an_account()
        with nothing_moves():
            response = _receive(api, account, TRANSFER | {field: value})
            assert list(problem_of(response, status=400, slug="invalid-request")["errors"]) == [field]

    @pytest.mark.parametrize("field", list(TRANSFER))
    def test_refuses_a_missing_field(self, api: ApiClient, field: str) -> None:
        account = an_account()
        with nothing_moves():
            response = _receive(api, account, {name: value for name, value in TRANSFER.items() if name != field})
            assert list(problem_of(response, status=400, slug="invalid-request")["errors"]) == [field]

    def test_refuses_an_unknown_account(self, api: ApiClient) -> None:
        with nothing_moves():
            response = api.post(f"/v1/accounts/{uuid.uuid4()}/payments", TRANSFER, once="1")
            problem_of(response, status=404, slug="unknown-account")

    def test_refuses_without_an_idempotency_key(self, api: ApiClient) -> None:
        account = owing_two_months()
        with nothing_moves():
            problem_of(_receive(api, account, once=None), status=400, slug="idempotency-key-missing")

    def test_refuses_a_key_that_may_only_read(self) -> None:
        account = owing_two_months()
        reader = ApiClient(Scope.LEDGER_READ, Scope.ACCOUNTS_WRITE)
        with nothing_moves():
            problem_of(_receive(reader, account), status=403, slug="missing-scope")
        assert reader.get(f"/v1/accounts/{account.id}/payments").status_code == 200
        assert _receive(ApiClient(Scope.LEDGER_WRITE), account).status_code == 201
