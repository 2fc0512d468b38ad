"""Refunds requested: reserved, bounded by what the payment took, and refused without a trace."""

import uuid
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.errors import OperationError
from accounts.models import Account, StatusChange
from accounts.reasons import ReasonMissing
from ledger.balances import balance, book_totals
from ledger.models import Entry
from payments.gateways.port import Declined, Unknown
from payments.models import Payment, Refund
from rebilling.dunning import UnknownPayment
from rebilling.messages import dispatch
from rebilling.messages.queue import UnableToSend
from rebilling.models import Rebilling
from rebilling.refund_requests import (
    AlreadyRequested,
    NothingToRefund,
    NotYetRefundable,
    UnableToRefund,
    left_to_refund,
)
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, QueueInHand, ScriptedGateway, an_account, billed
from tests.support.databases import rolled_back
from tests.support.owing import owing_two_months, received, rows
from tests.support.refunds import entries_of, paid, refunded, requested, sent


def everything() -> list[Any]:
    models: list[Any] = [Account, StatusChange, Entry, Payment, Refund, Rebilling]
    return [list(model._default_manager.order_by("pk").values()) for model in models]


def refusal_of(
    payment: Payment, refusal: type[OperationError], amount_minor: int = 1999, **given: Any
) -> OperationError:
    """The refusal, after a look that nothing moved."""
    before = everything()
    with pytest.raises(refusal) as caught:
        requested(payment, amount_minor, **given)
    assert everything() == before
    return caught.value


@rolled_back
class TestRequestRefund:
    def test_reserves_it_and_moves_nothing_else(self) -> None:
        payment = paid()
        refund = requested(payment, 700, reason=" unhappy ")
        refund.refresh_from_db()
        assert (refund.status, refund.amount_minor, refund.currency) == ("SUBMITTED", 700, "USD")
        assert (refund.payment_id, refund.gateway, refund.gateway_reference) == (payment.id, "scripted", "")
        assert (refund.reason, refund.created_by) == ("unhappy", "staff:anna")
        assert (refund.submitted_at, refund.first_called_at, refund.completed_at) == (NOW, None, None)
        assert (refund.needs_review, refund.failure_code, refund.request_key) == (False, "", "")
        assert entries_of(payment.account) == [("charge", 1999), ("payment", 1999)]
        assert rows(payment.account) == [("PAID", 0, 1999)]
        assert left_to_refund(payment) == 1299

    def test_is_sent_once_it_is_committed(
        self, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        queue = QueueInHand()
        monkeypatch.setattr(dispatch, "configured_queue", lambda: queue)
        payment = paid()
        with django_capture_on_commit_callbacks() as callbacks:
            refund = requested(payment)
        assert queue.bodies == []
        for callback in callbacks:
            callback()
        assert queue.refunds == [refund.id]

    def test_that_the_queue_refuses_stands_for_the_hourly_reconcile(
        self,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        def refuses(messages: Any) -> int:
            raise UnableToSend("The queue is down")

        queue = QueueInHand()
        monkeypatch.setattr(queue, "send", refuses)
        monkeypatch.setattr(dispatch, "configured_queue", lambda: queue)
        payment = paid()
        with django_capture_on_commit_callbacks(execute=True):
            refund = requested(payment)
        assert Refund.objects.get().status == "SUBMITTED"
        assert [record.refund for record in caplog.records if record.message == "The queue is down"] == [  # type: ignore[attr-defined]
            str(refund.id)
        ]

    def test_of_all_that_is_left_is_taken_to_the_cent_and_not_one_more(self) -> None:
        payment = paid()
        requested(payment, 1000)
        refused = refusal_of(payment, NotYetRefundable, 1000)
        left = "Of this payment, 9.99 USD is left to refund"
        assert refused.detail == f"{left} until the outcome of another refund is known."
        assert refusal_of(payment, NothingToRefund, 2000).detail == f"{left}."
        requested(payment, 999)
        assert refusal_of(payment, NotYetRefundable, 1).detail.startswith("Of this payment, 0.00 USD is left to refund")
        assert Refund.objects.count() == 2

    @pytest.mark.parametrize(
        ("outcome", "left"), [(Unknown(reason="timed out"), 0), (None, 0), (Declined(code="charge_disputed"), 1999)]
    )
    def test_counts_all_but_failed_ones_against_the_payment(self, outcome: Any, left: int) -> None:
        payment = paid()
        refund = requested(payment)
        assert sent(refund, gateway=ScriptedGateway(refunds=[outcome] if outcome else [])) == []
        assert left_to_refund(payment) == left

    def test_of_an_inactive_accounts_payment_is_taken_and_it_stays_inactive(self) -> None:
        payment = paid()
        close_account(account_id=payment.account_id, reason="left", author="t", now=NOW)
        refunded(payment)
        payment.account.refresh_from_db()
        assert (payment.account.status, balance(account_id=payment.account_id)) == ("INACTIVE", 0)
        assert entries_of(payment.account)[2:] == [("refund", 1999), ("credit", 1999)]

    def test_takes_the_payments_own_account_and_currency(self) -> None:
        payment = paid()
        refund = requested(payment, 1, account_id=payment.account_id, currency="USD")
        assert Refund.objects.get() == refund


@rolled_back
class TestRefusedRefund:
    @pytest.mark.parametrize("amount", [0, -1, -(2**63), 100_000_000, 2**64])
    def test_of_no_amount(self, amount: int) -> None:
        refused = refusal_of(paid(), UnableToRefund, amount)
        assert refused.errors == {
            "amount_minor": "Must be from 0.01 USD to 999,999.99 USD (the setting MAX_MOVEMENT_MINOR)."
        }

    @pytest.mark.parametrize("amount", [2000, 99_999_999])
    def test_of_more_than_the_payment(self, amount: int) -> None:
        refused = refusal_of(paid(), NothingToRefund, amount)
        assert refused.detail == "Of this payment, 19.99 USD is left to refund."

    @pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
    def test_without_a_reason(self, reason: str) -> None:
        refusal_of(paid(), ReasonMissing, reason=reason)

    def test_of_an_unknown_payment(self) -> None:
        refusal_of(Payment(id=uuid.uuid4()), UnknownPayment)

    def test_in_another_currency_or_for_another_account(self) -> None:
        payment, other = paid(), an_account()
        refused = refusal_of(payment, UnableToRefund, currency="EUR", account_id=other.id)
        assert refused.errors == {
            "account": "The payment belongs to another account.",
            "currency": "The payment is in USD.",
        }

    @pytest.mark.parametrize(
        ("answer", "refusal", "says"),
        [
            (Declined(code="card_declined"), NothingToRefund, "DECLINED, not SUCCEEDED."),
            (
                Unknown(reason="timed out"),
                NotYetRefundable,
                "UNKNOWN, not SUCCEEDED: wait until its outcome is known.",
            ),
        ],
    )
    def test_of_a_payment_that_did_not_succeed(self, answer: Any, refusal: type[OperationError], says: str) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(answer))
        payment = account.payments.get()
        refused = refusal_of(payment, refusal)
        assert (type(refused), refused.detail) == (refusal, f"The payment is {says}")
        assert left_to_refund(payment) == 0

    @pytest.mark.parametrize("amount", [500, 1999])
    def test_under_a_key_used_before(self, amount: int) -> None:
        payment = paid()
        requested(payment, amount, request_key="form-1")
        refused = refusal_of(payment, AlreadyRequested, amount, request_key="form-1")
        assert refused.detail == "This refund was requested before."
        assert Refund.objects.count() == 1


@rolled_back
class TestRefundOfAnOfflinePayment:
    """A person has sent the money back offline, too, and records that."""

    def test_is_refunded_at_once_out_of_the_credit_that_it_left(self) -> None:
        account = an_account()
        payment = received(account, 500)
        refund = requested(payment, 300)
        refund.refresh_from_db()
        assert (refund.status, refund.gateway, refund.completed_at) == ("SUCCEEDED", "offline", NOW)
        assert entries_of(account) == [("payment", 500), ("refund", 300)]
        assert (balance(account_id=account.id), left_to_refund(payment)) == (-200, 200)
        entry = Entry.objects.get(type="refund")
        assert (entry.debit, entry.credit, entry.payment_id) == ("receivable", "cash", payment.id)
        assert (entry.description, entry.created_by, entry.effective_on) == ("unhappy", "staff:anna", TODAY)
        assert book_totals()["USD"]["cash"] == 200

    def test_that_charges_have_used_leaves_them_paid_by_the_credit_of_the_refund(self) -> None:
        account = owing_two_months()
        payment = received(account, 2500)
        assert rows(account) == [("PAID", 1999, 0), ("UNPAID", 501, 0)]
        requested(payment, 2500)
        assert rows(account) == [("PAID", 1999, 0), ("UNPAID", 501, 0)]
        assert entries_of(account)[2:] == [("payment", 2500), ("refund", 2500), ("credit", 2500)]
        assert balance(account_id=account.id) == 1498
        refusal_of(payment, NothingToRefund, 1)

    def test_is_sent_nowhere(self, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> None:
        payment = received(an_account(), 500)
        with django_capture_on_commit_callbacks() as callbacks:
            requested(payment, 500)
        assert callbacks == []
