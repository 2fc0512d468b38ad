"""Recording by API that money was taken back: a payment that was disputed, a refund that came back."""

import uuid
from typing import Any

import pytest

from api.models import IdempotentAnswer
from payments.gateways.port import Declined
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.platform_days import PlatformDays
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

WHY = {"reason": "Dispute dp_815 was lost."}


def _paid(days: PlatformDays) -> tuple[str, str]:
    """The ids of an account and of its payment of 1,999."""
    account_id = days.opened()
    days.sweep()
    return account_id, days.invoice(account_id)["payments"][0]["id"]


class TestReversedPayment:
    def test_opens_its_invoice_again(self, days: PlatformDays) -> None:
        account_id, payment_id = _paid(days)
        entry = days.post(f"/v1/payments/{payment_id}/reversal", WHY)
        assert (entry["type"], entry["debit"], entry["credit"]) == ("payment_reversed", "receivable", "cash")
        assert (entry["amount_minor"], entry["payment"]) == (1999, payment_id)
        assert (entry["description"], entry["created_by"]) == (WHY["reason"], f"key:tests:{days.api.key.prefix}")
        invoice = days.invoice(account_id)
        assert (invoice["status"], invoice["outstanding_minor"], invoice["paid_minor"]) == ("OPEN", 1999, 0)
        assert entry["invoice"] == invoice["id"]
        account = days.account(account_id)
        assert (account["balance_minor"], account["credit_balance_minor"]) == (1999, 0)
        assert days.books() == {"receivable": 1999, "revenue": -1999, "cash": 0}

    def test_takes_the_credit_that_it_gave(self, days: PlatformDays) -> None:
        account_id = days.opened()
        body = {"amount_minor": 700, "reference": "SEPA 17", "reason": "Paid by transfer."}
        payment = days.post(f"/v1/accounts/{account_id}/payments", body)
        days.post(f"/v1/payments/{payment['id']}/reversal", WHY)
        account = days.account(account_id)
        assert (account["balance_minor"], account["credit_balance_minor"]) == (0, 0)

    def test_is_refused_a_second_time_and_where_all_was_refunded(self, days: PlatformDays) -> None:
        _, disputed = _paid(days)
        days.post(f"/v1/payments/{disputed}/reversal", WHY)
        _, refunded = _paid(days)
        days.post(f"/v1/payments/{refunded}/refunds", {"amount_minor": 1999, **WHY})
        for payment_id, detail in (
            (disputed, "This was already recorded."),
            (refunded, "All of this payment was refunded: nothing is left that could be taken back."),
        ):
            with nothing_moves(but=IdempotentAnswer):
                response = days.send(f"/v1/payments/{payment_id}/reversal", WHY)
                problem = problem_of(response, status=409, slug="unable-to-record-reversal")
            assert problem["detail"] == detail

    def test_is_refused_of_a_payment_that_was_declined(self, days: PlatformDays) -> None:
        days.scripted(Declined(code="card_declined"))
        _, payment_id = _paid(days)
        with nothing_moves(but=IdempotentAnswer):
            response = days.send(f"/v1/payments/{payment_id}/reversal", WHY)
            problem = problem_of(response, status=409, slug="unable-to-record-reversal")
        assert problem["detail"] == "The payment is DECLINED: no money of it came."

    def test_leaves_nothing_of_the_payment_to_refund(self, days: PlatformDays) -> None:
        account_id, payment_id = _paid(days)
        days.post(f"/v1/payments/{payment_id}/reversal", WHY)
        days.post(f"/v1/accounts/{account_id}/credits", {"amount_minor": 5000, **WHY})
        for source in ("payment", "balance"):
            with nothing_moves(but=IdempotentAnswer):
                body = {"amount_minor": 1, "from": source, **WHY}
                response = days.send(f"/v1/payments/{payment_id}/refunds", body)
                problem_of(response, status=409, slug="nothing-to-refund")


class TestReversedRefund:
    def test_gives_credit(self, days: PlatformDays) -> None:
        account_id, payment_id = _paid(days)
        refund = days.post(f"/v1/payments/{payment_id}/refunds", {"amount_minor": 700, **WHY})
        entry = days.post(f"/v1/refunds/{refund['id']}/reversal", {"reason": "The bank sent it back."})
        assert (entry["type"], entry["debit"], entry["credit"]) == ("refund_reversed", "cash", "receivable")
        assert (entry["amount_minor"], entry["refund"]) == (700, refund["id"])
        account = days.account(account_id)
        assert (account["balance_minor"], account["credit_balance_minor"]) == (-700, 700)
        assert days.books() == {"receivable": -700, "revenue": -1299, "cash": 1999}

    def test_is_refused_a_second_time_and_of_one_that_failed(self, days: PlatformDays) -> None:
        _, payment_id = _paid(days)
        refunds = f"/v1/payments/{payment_id}/refunds"
        came_back = days.post(refunds, {"amount_minor": 700, **WHY})["id"]
        days.post(f"/v1/refunds/{came_back}/reversal", WHY)
        days.gateway.refunds = [Declined(code="closed")]  # type: ignore[attr-defined]
        failed = days.post(refunds, {"amount_minor": 700, **WHY})["id"]
        for refund_id, detail in (
            (came_back, "This was already recorded."),
            (failed, "The refund is FAILED: no money of it was sent."),
        ):
            with nothing_moves(but=IdempotentAnswer):
                response = days.send(f"/v1/refunds/{refund_id}/reversal", WHY)
                problem = problem_of(response, status=409, slug="unable-to-record-reversal")
            assert problem["detail"] == detail


class TestRequest:
    @pytest.mark.parametrize("thing", ["payment", "refund"])
    @pytest.mark.parametrize("body", [{}, {"reason": " "}, {"reason": None}, {"reason": "x", "amount_minor": 1}])
    def test_with_a_malformed_body_is_refused(self, days: PlatformDays, thing: str, body: Any) -> None:
        _, payment_id = _paid(days)
        refund = days.post(f"/v1/payments/{payment_id}/refunds", {"amount_minor": 1999, **WHY})
        id_ = payment_id if thing == "payment" else refund["id"]
        with nothing_moves():
            problem_of(days.send(f"/v1/{thing}s/{id_}/reversal", body), status=400, slug="invalid-request")
            problem_of(days.api.post(f"/v1/{thing}s/{id_}/reversal", WHY), status=400, slug="idempotency-key-missing")

    @pytest.mark.parametrize("thing", ["payment", "refund"])
    def test_about_something_unknown_is_not_found(self, api: ApiClient, thing: str) -> None:
        with nothing_moves():
            response = api.post(f"/v1/{thing}s/{uuid.uuid4()}/reversal", WHY, once="1")
            problem_of(response, status=404, slug=f"unknown-{thing}")
