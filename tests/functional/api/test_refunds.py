"""Refunds by API."""

import uuid
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from api.models import Scope
from invoices.models import CreditNote
from ledger.balances import balance
from payments.gateways.port import Declined
from payments.messages import dispatch
from payments.models import Payment, Refund
from tests.builders import TODAY, QueueInHand, ScriptedGateway, an_account, billed, delivered
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.owing import received, rows
from tests.support.refunds import paid, refunded, sent
from tests.support.unchanged import nothing_moves

PART = {"amount_minor": 700, "reason": "A week of outage."}


def _refund(api: ApiClient, payment: Payment, body: Any = PART, once: str | None = "refund-1") -> Any:
    return api.post(f"/v1/payments/{payment.id}/refunds", body, once=once)


@rolled_back
class TestRequestRefund:
    def test_responds_with_its_reservation_and_later_with_its_outcome(
        self,
        api: ApiClient,
        monkeypatch: pytest.MonkeyPatch,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        queue = QueueInHand()
        monkeypatch.setattr(dispatch, "configured_queue", lambda: queue)
        payment = paid()
        with django_capture_on_commit_callbacks(execute=True):
            response = _refund(api, payment)
        assert response.status_code == 202
        refund = response.json()
        assert refund == {
            "id": refund["id"],
            "payment": str(payment.id),
            "account": str(payment.account_id),
            "amount_minor": 700,
            "currency": "USD",
            "status": "SUBMITTED",
            "failure_code": None,
            "needs_review": False,
            "review_reason": None,
            "resolution": None,
            "resolved_by": None,
            "reason": "A week of outage.",
            "gateway": "logging",
            "gateway_reference": None,
            "submitted_at": "2026-01-01T06:00:00Z",
            "completed_at": None,
            "created_by": f"key:tests:{api.key.prefix}",
            "from": "payment",
        }
        assert api.get(f"/v1/refunds/{refund['id']}").json() == refund
        assert queue.refunds == [uuid.UUID(refund["id"])]

        assert delivered(bodies=queue.take()) == []

        shown = refund | {
            "status": "SUCCEEDED",
            "gateway_reference": f"sent-{refund['id']}",
            "completed_at": "2026-01-01T06:00:00Z",
        }
        assert api.get(f"/v1/refunds/{refund['id']}").json() == shown
        assert api.get(f"/v1/payments/{payment.id}/refunds").json()["results"] == [shown]
        credit, entry = api.get(f"/v1/accounts/{payment.account_id}/ledger").json()["results"][:2]
        assert (entry["type"], entry["refund"], entry["amount_minor"]) == ("refund", refund["id"], 700)
        assert (entry["description"], entry["created_by"]) == ("A week of outage.", f"key:tests:{api.key.prefix}")
        assert (credit["type"], credit["invoice"], credit["amount_minor"]) == (
            "credit_note",
            str(payment.invoice_id),
            700,
        )
        assert balance(account_id=payment.account_id) == 0

    def test_is_reserved_once_under_its_key(self, api: ApiClient) -> None:
        payment = paid()
        first = _refund(api, payment)
        with nothing_moves():
            again = _refund(api, payment)
            other = _refund(api, payment, PART | {"amount_minor": 701})
        assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (202, first.content, "true")
        problem_of(other, status=422, slug="idempotency-key-reused")
        assert _refund(api, payment, once="refund-2").status_code == 202
        assert list(Refund.objects.values_list("amount_minor", flat=True)) == [700, 700]

    def test_of_an_offline_payment_has_succeeded(self, api: ApiClient) -> None:
        account = an_account()
        refund = _refund(api, received(account, 1000), PART | {"from": "balance"}).json()
        assert (refund["status"], refund["gateway"], refund["completed_at"], refund["from"]) == (
            "SUCCEEDED",
            "offline",
            "2026-01-01T06:00:00Z",
            "balance",
        )
        assert balance(account_id=account.id) == -300
        account.refresh_from_db()
        assert account.credit_balance_minor == 300

    def test_that_fails_books_neither_money_nor_credit_note(self, api: ApiClient) -> None:
        payment = paid()
        refund = _refund(api, payment).json()
        gateway = ScriptedGateway(refunds=[Declined(code="expired_or_canceled_card")])
        assert sent(Refund.objects.get(), gateway=gateway) == []
        shown = api.get(f"/v1/refunds/{refund['id']}").json()
        assert (shown["status"], shown["failure_code"]) == ("FAILED", "expired_or_canceled_card")
        assert (CreditNote.objects.count(), rows(payment.account)) == (0, [("PAID", 0, 1999)])
        assert api.get(f"/v1/payments/{payment.id}").json()["refunded_minor"] == 0
        assert _refund(api, payment, PART | {"amount_minor": 1999}, once="refund-2").status_code == 202

    def test_takes_the_payments_own_account_and_currency(self, api: ApiClient) -> None:
        payment = paid()
        body = PART | {"account": str(payment.account_id), "currency": "USD"}
        assert _refund(api, payment, body).status_code == 202


@rolled_back
class TestRefusedRefund:
    @pytest.mark.parametrize("amount", [0, -1, -(2**63), 100_000_000, 2**63 - 1])
    def test_of_no_amount(self, api: ApiClient, amount: int) -> None:
        payment = paid()
        response = _refund(api, payment, PART | {"amount_minor": amount})
        assert list(problem_of(response, status=422, slug="unable-to-refund")["errors"]) == ["amount_minor"]
        assert Refund.objects.count() == 0

    @pytest.mark.parametrize("amount", [2000, 99_999_999])
    def test_of_more_than_was_paid(self, api: ApiClient, amount: int) -> None:
        payment = paid()
        response = _refund(api, payment, PART | {"amount_minor": amount})
        problem = problem_of(response, status=409, slug="nothing-to-refund")
        assert problem["detail"] == "Of this payment, 19.99 USD is left to refund."
        assert (Refund.objects.count(), rows(payment.account)) == (0, [("PAID", 0, 1999)])

    def test_of_more_than_others_have_left_and_again_when_it_is_repeated(self, api: ApiClient) -> None:
        payment = paid()
        refunded(payment, 1300)
        refused = _refund(api, payment, once="refund-2")
        problem_of(refused, status=409, slug="nothing-to-refund")
        with nothing_moves():
            assert _refund(api, payment, once="refund-2")["Idempotent-Replayed"] == "true"
        assert list(Refund.objects.values_list("amount_minor", flat=True)) == [1300]

    def test_of_a_payment_that_was_declined(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="card_declined")))
        problem = problem_of(_refund(api, account.payments.get()), status=409, slug="nothing-to-refund")
        assert problem["detail"] == "The payment is DECLINED, not SUCCEEDED."
        assert Refund.objects.count() == 0

    @pytest.mark.parametrize(
        ("field", "value"),
        [("currency", "EUR"), ("currency", "usd"), ("account", "0193aaaa-0000-7000-8000-000000000000")],
    )
    def test_in_another_currency_or_for_another_account(self, api: ApiClient, field: str, value: str) -> None:
        payment = paid()
        response = _refund(api, payment, PART | {field: value})
        assert list(problem_of(response, status=422, slug="unable-to-refund")["errors"]) == [field]
        assert Refund.objects.count() == 0

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("amount_minor", 2**63),
            ("amount_minor", "700"),
            ("amount_minor", 7.0),
            ("amount_minor", None),
            ("reason", " "),
            ("reason", None),
            ("reason", "x" * 501),
            ("currency", None),
            ("currency", ""),
            ("currency", "DOLLAR"),
            ("account", None),
            ("account", "ENGINE-1"),
            ("from", "charge"),
            ("from", None),
            ("from", ["payment"]),
            ("source", "payment"),
            ("payment", "0193aaaa-0000-7000-8000-000000000000"),
        ],
    )
    def test_with_a_malformed_or_unknown_field(self, api: ApiClient, field: str, value: Any) -> None:
        payment = paid()
        with nothing_moves():
            response = _refund(api, payment, PART | {field: value})
            assert list(problem_of(response, status=400, slug="invalid-request")["errors"]) == [field]

    @pytest.mark.parametrize("field", list(PART))
    def test_without_a_field_that_it_needs(self, api: ApiClient, field: str) -> None:
        payment = paid()
        with nothing_moves():
            response = _refund(api, payment, {name: value for name, value in PART.items() if name != field})
            assert list(problem_of(response, status=400, slug="invalid-request")["errors"]) == [field]

    def test_without_an_idempotency_key(self, api: ApiClient) -> None:
        payment = paid()
        with nothing_moves():
            problem_of(_refund(api, payment, once=None), status=400, slug="idempotency-key-missing")

    def test_of_an_unknown_payment(self, api: ApiClient) -> None:
        paid()
        with nothing_moves():
            problem_of(_refund(api, Payment(id=uuid.uuid4())), status=404, slug="unknown-payment")
            problem_of(api.get(f"/v1/payments/{uuid.uuid4()}/refunds"), status=404, slug="unknown-payment")
            problem_of(api.get(f"/v1/refunds/{uuid.uuid4()}"), status=404, slug="unknown-refund")

    def test_with_a_key_that_may_only_read(self, api: ApiClient) -> None:
        payment = paid()
        refund = _refund(api, payment).json()
        reader = ApiClient(Scope.LEDGER_READ, Scope.ACCOUNTS_WRITE)
        with nothing_moves():
            problem_of(_refund(reader, payment), status=403, slug="missing-scope")
        assert reader.get(f"/v1/refunds/{refund['id']}").json() == refund
        writer = ApiClient(Scope.LEDGER_WRITE)
        assert _refund(writer, payment).status_code == 202
        problem_of(writer.get(f"/v1/refunds/{refund['id']}"), status=403, slug="missing-scope")
