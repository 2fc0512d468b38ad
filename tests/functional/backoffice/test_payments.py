"""The staff's actions on payments: look up, resolve, record that money was taken back."""

import datetime
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from ledger.models import Entry
from payments.gateways.port import Declined, Unknown
from payments.messages import dispatch
from payments.messages.queue import UnableToSend
from payments.models import Payment
from payments.payment_requests import pay_invoice
from tests.builders import NOW, TODAY, QueueInHand, ScriptedGateway, an_account, billed, delivered, takes
from tests.functional.backoffice.action_requests import logged, messages_of, path_of, state
from tests.support.databases import rolled_back
from tests.support.refunds import requested

pytestmark = rolled_back

ACTIONS = ["refund", "taken-back", "look-up", "mark-succeeded", "mark-declined", "book-late"]
SAID = {"reason": "seen at the gateway", "reference": "pi_7"}


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch, settings: Any) -> QueueInHand:
    """The queue that the admin sends to."""
    settings.PAYMENT_GATEWAY = "tests.builders.ScriptedGateway"
    queue = QueueInHand()
    monkeypatch.setattr(dispatch, "configured_queue", lambda: queue)
    return queue


@pytest.fixture
def declined() -> Payment:
    an_account()
    billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="insufficient_funds")))
    return Payment.objects.get(status="DECLINED")


@pytest.fixture
def puzzling() -> Payment:
    """It needs review."""
    an_account()
    billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="the gateway moved 500 USD", needs_review=True)))
    return Payment.objects.get(needs_review=True)


class TestButtonsOfAPayment:
    def test_depend_on_its_status(
        self, operator: Client, support: Client, declined: Payment, puzzling: Payment
    ) -> None:
        an_account()
        billed(as_of=TODAY)
        paid = Payment.objects.get(status="SUCCEEDED")
        for payment, names in (
            (declined, []),
            (puzzling, ["look-up", "mark-succeeded", "mark-declined"]),
            (paid, ["refund", "taken-back"]),
        ):
            content = operator.get(path_of(payment, "change")).content.decode()
            assert [name for name in ACTIONS if path_of(payment, name) in content] == names
            content = support.get(path_of(payment, "change")).content.decode()
            assert not [name for name in ACTIONS if path_of(payment, name) in content]

    def test_is_filtered_by_needs_review(self, operator: Client, declined: Payment, puzzling: Payment) -> None:
        content = operator.get("/admin/payments/payment/?needs_review__exact=1").content.decode()
        assert path_of(puzzling, "change") in content
        assert path_of(declined, "change") not in content
        assert "the gateway moved 500 USD" in operator.get(path_of(puzzling, "change")).content.decode()

    @pytest.mark.parametrize("name", ACTIONS)
    def test_is_refused_to_support(self, support: Client, puzzling: Payment, name: str) -> None:
        before = state()
        assert support.post(path_of(puzzling, name), SAID).status_code == 403
        assert state() == before

    @pytest.mark.parametrize("name", ACTIONS)
    def test_needs_a_reason(self, operator: Client, puzzling: Payment, name: str) -> None:
        before = state()
        assert "errorlist" in operator.post(path_of(puzzling, name), SAID | {"reason": " "}).content.decode()
        assert state() == before


class TestLookUp:
    def test_looks_the_payment_up_once_more(
        self,
        operator: Client,
        puzzling: Payment,
        sent: QueueInHand,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            messages = messages_of(operator, path_of(puzzling, "look-up"), {"reason": "they say they know"})
        assert messages == ["The payment is being looked up. Reload this page in a moment."]
        # Once the first call's lease is over.
        later = puzzling.submitted_at + datetime.timedelta(minutes=3)
        assert delivered(bodies=sent.take(), gateway=ScriptedGateway(found=[takes]), now=later) == []
        puzzling.refresh_from_db()
        assert (puzzling.status, puzzling.needs_review) == ("SUCCEEDED", False)

    @pytest.mark.parametrize("status", ["SUCCEEDED", "DECLINED", "SUBMITTED"])
    def test_is_refused_where_there_is_nothing_to_look_up(
        self, operator: Client, declined: Payment, sent: QueueInHand, status: str
    ) -> None:
        if status == "SUBMITTED":
            pay_invoice(invoice_id=declined.invoice_id, author="t", now=NOW)  # type: ignore[arg-type]
        elif status == "SUCCEEDED":
            an_account()
            billed(as_of=TODAY)
        before = state()
        assert messages_of(operator, path_of(Payment.objects.get(status=status), "look-up"), SAID) == [
            f"The payment is {status}: there is nothing to look up."
        ]
        assert (state(), sent.bodies) == (before, [])

    def test_shows_an_error_when_the_queue_takes_nothing(
        self, operator: Client, puzzling: Payment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dispatch, "configured_queue", mock.Mock(side_effect=UnableToSend("it is away")))
        (message,) = messages_of(operator, path_of(puzzling, "look-up"), {"reason": "they say they know"})
        assert message == "The gateway isn't called: it is away"
        assert logged() == []


class TestResolve:
    def test_as_succeeded_books_it_in_the_persons_name(self, operator: Client, puzzling: Payment) -> None:
        messages = messages_of(operator, path_of(puzzling, "mark-succeeded"), SAID)
        assert messages == ["The payment was marked as succeeded."]
        puzzling.refresh_from_db()
        assert (puzzling.status, puzzling.gateway_reference) == ("SUCCEEDED", "pi_7")
        assert Entry.objects.get(type="payment").created_by == "staff:olga"

    def test_as_declined_submits_the_invoice_anew_and_counts_as_no_decline(
        self,
        operator: Client,
        puzzling: Payment,
        sent: QueueInHand,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            messages = messages_of(operator, path_of(puzzling, "mark-declined"), SAID)
        assert messages == ["The payment was marked as declined."]
        puzzling.refresh_from_db()
        assert (puzzling.status, puzzling.decline_code) == ("DECLINED", "resolved_by_person")
        again = Payment.objects.get(status="SUBMITTED")
        assert (again.invoice_id, again.amount_minor, again.cause) == (puzzling.invoice_id, 1999, "invoice")
        assert sent.payments == [again.id]
        assert (puzzling.account.status, puzzling.account.dunning_on) == ("PENDING", None)

    @pytest.mark.parametrize("reference", ["", "x" * 201])
    def test_as_succeeded_needs_a_reference(self, operator: Client, puzzling: Payment, reference: str) -> None:
        before = state()
        response = operator.post(path_of(puzzling, "mark-succeeded"), SAID | {"reference": reference})
        assert "errorlist" in response.content.decode()
        assert state() == before

    def test_twice_is_refused(self, operator: Client, puzzling: Payment) -> None:
        operator.post(path_of(puzzling, "mark-succeeded"), SAID)
        before = state()
        assert messages_of(operator, path_of(puzzling, "mark-declined"), SAID) == [
            "The payment is SUCCEEDED and doesn't need review."
        ]
        assert state() == before


class TestMarkResolved:
    def test_is_offered_where_the_money_was_moved_after_all(self, operator: Client, declined: Payment) -> None:
        reason = "the money was moved after all, as pi_1, and is not in the ledger"
        Payment.objects.filter(id=declined.id).update(needs_review=True, review_reason=reason)
        content = operator.get(path_of(declined, "change")).content.decode()
        assert path_of(declined, "mark-resolved") in content
        assert path_of(declined, "mark-succeeded") not in content
        form = operator.get(path_of(declined, "mark-resolved")).content.decode()
        assert "To keep it, book a late payment instead; or send it back at the gateway." in form
        messages = messages_of(operator, path_of(declined, "mark-resolved"), {"reason": "sent back at the gateway"})
        assert messages == ["Marked as resolved."]
        declined.refresh_from_db()
        assert (declined.status, declined.needs_review) == ("DECLINED", False)
        assert logged() == [("olga", str(declined.id), "Mark as resolved: sent back at the gateway")]
        content = operator.get(path_of(declined, "change")).content.decode()
        for shown in ("sent back at the gateway", "staff:olga"):
            assert f'<div class="readonly">{shown}</div>' in content

    def test_of_our_own_fault_says_that_no_money_was_moved(self, operator: Client) -> None:
        an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="invalid_request")))
        form = operator.get(path_of(Payment.objects.get(), "mark-resolved")).content.decode()
        assert (
            "No money was moved: the gateway rejects the request. Fix the cause, use &#x27;Collect now&#x27; on the "
            "invoice, then mark this as resolved."
        ) in form
        assert "offline payment" not in form

    def test_of_what_waits_for_an_outcome_is_refused(self, operator: Client, puzzling: Payment) -> None:
        before = state()
        assert messages_of(operator, path_of(puzzling, "mark-resolved"), SAID) == [
            "The payment is UNKNOWN and has nothing to be marked as resolved."
        ]
        assert state() == before


class TestBookLate:
    def test_books_another_payment(self, operator: Client, puzzling: Payment) -> None:
        operator.post(path_of(puzzling, "mark-declined"), {"reason": "not there"})
        assert messages_of(operator, path_of(puzzling, "book-late"), SAID) == [
            "The money was booked as another payment."
        ]
        late = Payment.objects.get(status="SUCCEEDED")
        assert (late.amount_minor, late.gateway_reference, late.created_by) == (1999, "pi_7", "staff:olga")
        assert logged()[1:] == [("olga", str(puzzling.id), "Book as a late payment: seen at the gateway")]


class TestTakenBack:
    @pytest.fixture
    def paid(self) -> Payment:
        an_account()
        billed(as_of=TODAY)
        return Payment.objects.get()

    def test_opens_the_invoice_again(self, operator: Client, paid: Payment) -> None:
        form = operator.get(path_of(paid, "taken-back")).content.decode()
        assert "Or for an offline payment that was recorded by mistake." in form
        assert messages_of(operator, path_of(paid, "taken-back"), {"reason": "dispute lost"}) == ["Recorded."]
        assert paid.invoice
        paid.invoice.refresh_from_db()
        assert (paid.invoice.status, paid.invoice.outstanding_minor) == ("OPEN", 1999)
        entry = Entry.objects.get(type="payment_reversed")
        assert (entry.payment_id, entry.amount_minor, entry.created_by) == (paid.id, 1999, "staff:olga")
        assert logged() == [("olga", str(paid.id), "Record that it was taken back: dispute lost")]
        content = operator.get(path_of(paid, "change")).content.decode()
        assert not [name for name in ACTIONS if path_of(paid, name) in content]

    def test_twice_is_refused(self, operator: Client, paid: Payment) -> None:
        operator.post(path_of(paid, "taken-back"), {"reason": "dispute lost"})
        before = state()
        assert messages_of(operator, path_of(paid, "taken-back"), {"reason": "again"}) == ["This was already recorded."]
        assert state() == before

    def test_of_what_took_no_money_or_is_being_refunded_is_refused(
        self, operator: Client, paid: Payment, puzzling: Payment
    ) -> None:
        requested(paid, 100)
        before = state()
        assert messages_of(operator, path_of(paid, "taken-back"), {"reason": "no"}) == [
            "A refund of this payment is in flight: wait until its outcome is known."
        ]
        assert messages_of(operator, path_of(puzzling, "taken-back"), {"reason": "no"}) == [
            "The payment is UNKNOWN: no money of it came."
        ]
        assert state() == before
