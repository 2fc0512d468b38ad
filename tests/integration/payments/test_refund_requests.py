"""Refunds requested: reserved, bounded by what is left of payment, invoice and balance, and refused without a trace."""

import uuid
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.errors import OperationError
from accounts.ids import new_id
from accounts.models import Account
from accounts.reasons import InvalidReason
from invoices.credit_notes import issue_credit_note
from invoices.credits import grant_credit
from invoices.models import CreditNote
from ledger.balances import book_totals
from ledger.models import Book
from payments.gateways.port import Declined, Unknown
from payments.locked_attempts import UnknownPayment
from payments.messages import dispatch
from payments.messages.queue import UnableToSend
from payments.models import Payment, Refund
from payments.refund_requests import (
    AlreadyRefunded,
    NothingToRefund,
    NotYetRefundable,
    UnableToRefund,
)
from payments.reversed_money import record_reversed_payment
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, QueueInHand, ScriptedGateway, an_account, billed
from tests.support.databases import rolled_back
from tests.support.owing import FEB_1, invoices_of, owing, received, rows, state_of
from tests.support.refunds import entries_of, paid, refunded, requested, sent
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

SIGNED: dict[str, Any] = {"reason": "r", "author": "t", "today": TODAY, "now": NOW}


def refused(payment: Payment, refusal: type[OperationError], amount_minor: int = 1999, **given: Any) -> OperationError:
    """The refusal, after a look that nothing moved."""
    with nothing_moves(), pytest.raises(refusal) as caught:
        requested(payment, amount_minor, **given)
    return caught.value


def credited(account: Account, amount_minor: int | None = None) -> CreditNote:
    return issue_credit_note(invoice_id=invoices_of(account)[0].id, amount_minor=amount_minor, **SIGNED)


def goodwill(account: Account, amount_minor: int) -> None:
    grant_credit(account_id=account.id, amount_minor=amount_minor, **SIGNED)


class TestRequestRefund:
    def test_reserves_it_and_moves_no_money(self) -> None:
        payment = paid()
        refund = requested(payment, 700, reason=" unhappy ")
        refund.refresh_from_db()
        assert (refund.status, refund.source, refund.amount_minor) == ("SUBMITTED", "payment", 700)
        assert (refund.account_id, refund.payment_id, refund.currency) == (payment.account_id, payment.id, "USD")
        assert (refund.gateway, refund.gateway_reference) == ("logging", "")
        assert (refund.reason, refund.created_by) == ("unhappy", "staff:anna")
        assert (refund.submitted_at, refund.first_called_at, refund.completed_at) == (NOW, None, None)
        assert entries_of(payment.account) == [("charge", 1999), ("payment", 1999)]
        (invoice,) = invoices_of(payment.account)
        assert (invoice.status, invoice.refunding_minor, invoice.refunded_minor) == ("PAID", 700, 0)
        assert state_of(payment.account) == ("ACTIVE", 0, 0)

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

    def test_that_the_queue_refuses_stands_for_the_hourly_check(
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
        found = [record.refunds for record in caplog.records if record.message == "The queue is down"]  # type: ignore[attr-defined]
        assert found == [[str(refund.id)]]

    def test_of_all_that_is_left_is_taken_to_the_cent_and_not_one_more(self) -> None:
        payment = paid()
        requested(payment, 1000)
        left = "Of this payment, 9.99 USD is left to refund"
        assert refused(payment, NotYetRefundable, 1000).detail == f"{left} while another refund is in flight."
        assert refused(payment, NothingToRefund, 2000).detail == f"{left}."
        requested(payment, 999)
        assert refused(payment, NotYetRefundable, 1).detail.startswith("Of this payment, 0.00 USD is left")
        assert Refund.objects.count() == 2

    @pytest.mark.parametrize(
        ("outcome", "left"), [(Unknown(reason="timed out"), 0), (None, 0), (Declined(code="charge_disputed"), 1999)]
    )
    def test_counts_all_but_failed_ones_against_the_payment(self, outcome: Any, left: int) -> None:
        payment = paid()
        refund = requested(payment)
        assert sent(refund, gateway=ScriptedGateway(refunds=[outcome] if outcome else [])) == []
        refused(payment, NothingToRefund, left + 1)
        if left:
            requested(payment, left)

    def test_of_an_inactive_accounts_payment_is_taken_and_it_stays_inactive(self) -> None:
        payment = paid()
        close_account(account_id=payment.account_id, reason="left", author="t", today=TODAY, now=NOW)
        refunded(payment)
        assert state_of(payment.account) == ("INACTIVE", 0, 0)
        assert entries_of(payment.account)[2:] == [("refund", 1999), ("credit_note", 1999)]

    def test_takes_the_payments_own_account_and_currency_and_the_clients_id(self) -> None:
        payment, id_ = paid(), new_id()
        refund = requested(payment, 1, account_id=payment.account_id, currency="USD", refund_id=id_)
        assert refund.id == id_
        refused(payment, AlreadyRefunded, 1, refund_id=id_)
        refused(payment, AlreadyRefunded, 1999, refund_id=id_)

    def test_of_a_part_of_what_was_brought_forward_stops_at_the_invoices_own_total(self) -> None:
        """The invoice of 10.00 collected 10.30; only what it asks for can be given back with it."""
        account = an_account(unit_amount_minor=1000)
        goodwill(account, 970)
        billed(as_of=TODAY)
        billed(as_of=FEB_1)
        payment = account.payments.get()
        assert payment.amount_minor == 1030
        refused(payment, NothingToRefund, 1001)
        requested(payment, 1000)


class TestBesideCreditNotes:
    def test_what_was_credited_to_the_balance_is_refunded_from_there(self) -> None:
        """19.99, credit note 5.00 after it was paid, then refunded in full: at most 14.99; the balance pays 5.00."""
        payment = paid()
        credited(payment.account, 500)
        refused(payment, NothingToRefund, 1500)
        refunded(payment, 1499)
        refunded(payment, 500, source="balance")
        assert state_of(payment.account) == ("ACTIVE", 0, 0)
        (invoice,) = invoices_of(payment.account)
        assert (invoice.refunded_minor, invoice.credited_to_balance_minor) == (1499, 500)
        assert book_totals()["USD"] == dict.fromkeys(Book.values, 0)

    def test_nothing_is_left_of_what_was_credited_whole(self) -> None:
        payment = paid()
        credited(payment.account)
        refused(payment, NothingToRefund, 1)
        refunded(payment, 1999, source="balance")
        assert state_of(payment.account) == ("ACTIVE", 0, 0)


class TestFromTheBalance:
    def test_reserves_the_credit_and_leaves_the_invoice_alone(self) -> None:
        payment = paid()
        goodwill(payment.account, 800)
        refund = requested(payment, 500, source="balance")
        assert refund.source == "balance"
        assert state_of(payment.account) == ("ACTIVE", 0, 300)
        assert invoices_of(payment.account)[0].refunding_minor == 0
        gateway = ScriptedGateway()
        billed(as_of=FEB_1, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [1699]

    @pytest.mark.parametrize(("credit", "maximum"), [(0, 0), (500, 500), (5000, 1999)])
    def test_is_at_most_the_credit_and_at_most_the_payment(self, credit: int, maximum: int) -> None:
        payment = paid()
        if credit:
            goodwill(payment.account, credit)
        detail = refused(payment, NothingToRefund, maximum + 1, source="balance").detail
        assert detail.endswith("is left to refund from the credit balance.")
        if maximum:
            requested(payment, maximum, source="balance")

    def test_pays_out_money_that_came_for_no_invoice(self) -> None:
        account = an_account()
        payment = received(account, 500)
        refused(payment, NothingToRefund, 1)
        refund = requested(payment, 500, source="balance")
        assert (refund.status, state_of(account)) == ("SUCCEEDED", ("PENDING", 0, 0))
        assert entries_of(account) == [("payment", 500), ("refund", 500)]

    def test_pays_out_an_excess_and_the_payment_gives_back_the_rest(self) -> None:
        account = owing()
        payment = received(account, 2500, invoice_id=invoices_of(account)[0].id)
        assert payment.excess_minor == 501
        refused(payment, NothingToRefund, 2000)
        requested(payment, 501, source="balance")
        requested(payment, 1999)
        payment.refresh_from_db()
        assert payment.refunded_minor == 2500
        assert state_of(account) == ("ACTIVE", 0, 0)


class TestOffline:
    def test_is_succeeded_at_once_and_calls_nobody(self) -> None:
        account = owing()
        payment = received(account, 1000, invoice_id=invoices_of(account)[0].id)
        refund = requested(payment, 1000)
        refund.refresh_from_db()
        assert (refund.status, refund.gateway, refund.completed_at) == ("SUCCEEDED", "offline", NOW)
        assert entries_of(account)[1:] == [("payment", 1000), ("refund", 1000), ("credit_note", 1000)]

    def test_of_a_part_leaves_what_was_outstanding_outstanding(self) -> None:
        """19.99, of it 10.00 paid offline and refunded: outstanding 9.99, credit 0."""
        account = owing()
        requested(received(account, 1000, invoice_id=invoices_of(account)[0].id), 1000)
        (invoice,) = invoices_of(account)
        assert (invoice.status, invoice.outstanding_minor) == ("OPEN", 999)
        assert (invoice.paid_minor, invoice.refunded_minor, invoice.credited_to_refund_minor) == (1000, 1000, 1000)
        assert state_of(account) == ("PAST_DUE", 999, 0)


class TestRefusedRefund:
    @pytest.mark.parametrize("amount", [0, -1, -(2**63), 100_000_000, 2**64])
    def test_of_no_amount(self, amount: int) -> None:
        assert refused(paid(), UnableToRefund, amount).errors == {
            "amount_minor": "Must be from 0.01 USD to 999,999.99 USD (the setting MAX_MOVEMENT_MINOR)."
        }

    @pytest.mark.parametrize("amount", [2000, 99_999_999])
    def test_of_more_than_the_payment(self, amount: int) -> None:
        assert refused(paid(), NothingToRefund, amount).detail == "Of this payment, 19.99 USD is left to refund."

    @pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
    def test_without_a_reason(self, reason: str) -> None:
        refused(paid(), InvalidReason, reason=reason)

    def test_of_an_unknown_payment(self) -> None:
        refused(Payment(id=uuid.uuid4()), UnknownPayment)

    def test_in_another_currency_for_another_account_or_from_elsewhere(self) -> None:
        payment, other = paid(), an_account()
        refusal = refused(payment, UnableToRefund, currency="EUR", account_id=other.id, source="pocket")
        assert refusal.errors == {
            "from": "Must be payment or balance.",
            "account": "The payment is another account's.",
            "currency": "The payment is in USD.",
        }

    @pytest.mark.parametrize(
        ("answer", "refusal", "says"),
        [
            (Declined(code="card_declined"), NothingToRefund, "DECLINED, not SUCCEEDED."),
            (Unknown(reason="?"), NotYetRefundable, "UNKNOWN, not SUCCEEDED: wait until its outcome is known."),
        ],
    )
    def test_of_a_payment_that_did_not_succeed(self, answer: Any, refusal: type[NothingToRefund], says: str) -> None:
        payment = owing(answer).payments.get()
        found = refused(payment, refusal)
        assert found.detail == f"The payment is {says}"
        assert getattr(found, "passing", False) == (refusal is NotYetRefundable)

    @pytest.mark.parametrize("source", ["payment", "balance"])
    def test_of_a_payment_whose_money_was_taken_back(self, source: str) -> None:
        payment = paid()
        record_reversed_payment(payment_id=payment.id, **SIGNED)
        received(payment.account, 1500, invoice_id=invoices_of(payment.account)[0].id)
        received(payment.account, 1000)
        refused(payment, NothingToRefund, 1, source=source)
        assert rows(payment.account) == [("PAID", 499, 1500)]
