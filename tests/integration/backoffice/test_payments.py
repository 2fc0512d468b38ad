"""The staff's actions on payments: retry, look up, resolve."""

import datetime
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from ledger.models import Entry
from payments.gateways.port import Declined, Unknown
from payments.models import Payment
from rebilling.messages import dispatch
from rebilling.messages.queue import UnableToSend
from rebilling.models import Rebilling
from tests.builders import TODAY, QueueInHand, ScriptedGateway, an_account, billed, delivered, takes
from tests.integration.backoffice.action_requests import logged, messages_of, path_of, state
from tests.support.databases import rolled_back

pytestmark = rolled_back

ACTIONS = ["retry", "look-up", "mark-succeeded", "mark-declined"]
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
            (declined, ["retry"]),
            (puzzling, ["look-up", "mark-succeeded", "mark-declined"]),
            (paid, []),
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


class TestRetry:
    def test_submits_a_new_payment_and_sends_it(
        self,
        operator: Client,
        declined: Payment,
        sent: QueueInHand,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            messages = messages_of(operator, path_of(declined, "retry"), {"reason": "new card"})
        assert messages == ["A new payment was submitted. Its outcome will be known in a moment."]
        assert logged() == [("olga", str(declined.id), "Retry this payment: new card")]
        assert delivered(bodies=sent.take()) == []
        assert sorted(Payment.objects.values_list("status", flat=True)) == ["DECLINED", "SUCCEEDED"]
        assert Rebilling.objects.get().status == "PAID"

    def test_is_for_the_gateway_that_is_set_and_needs_no_key_of_it(
        self, operator: Client, declined: Payment, settings: Any
    ) -> None:
        settings.PAYMENT_GATEWAY, settings.STRIPE_API_KEY = "payments.gateways.stripe.gateway.StripeGateway", ""
        operator.post(path_of(declined, "retry"), {"reason": "new card"})
        assert sorted(Payment.objects.values_list("gateway", "status")) == [
            ("scripted", "DECLINED"),
            ("stripe", "SUBMITTED"),
        ]

    def test_of_what_is_in_flight_is_refused(self, operator: Client, declined: Payment) -> None:
        operator.post(path_of(declined, "retry"), {"reason": "new card"})
        before = state()
        assert messages_of(operator, path_of(declined, "retry"), {"reason": "again"}) == [
            "The payment's charge is UNPAID: another payment of it is in flight."
        ]
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

    def test_shows_an_error_when_the_queue_takes_nothing(
        self, operator: Client, puzzling: Payment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dispatch, "configured_queue", mock.Mock(side_effect=UnableToSend("it is away")))
        (message,) = messages_of(operator, path_of(puzzling, "look-up"), {"reason": "they say they know"})
        assert message == "It isn't looked up at the gateway: it is away"
        assert logged() == []


class TestResolve:
    def test_as_succeeded_books_it_in_the_persons_name(self, operator: Client, puzzling: Payment) -> None:
        messages = messages_of(operator, path_of(puzzling, "mark-succeeded"), SAID)
        assert messages == ["The payment was marked as succeeded."]
        puzzling.refresh_from_db()
        assert (puzzling.status, puzzling.gateway_reference) == ("SUCCEEDED", "pi_7")
        assert Entry.objects.get(type="payment").created_by == "staff:olga"

    def test_as_declined_leaves_the_charge_to_be_retried(self, operator: Client, puzzling: Payment) -> None:
        messages = messages_of(operator, path_of(puzzling, "mark-declined"), SAID)
        assert messages == ["The payment was marked as declined."]
        puzzling.refresh_from_db()
        assert (puzzling.status, puzzling.decline_code) == ("DECLINED", "resolved_by_person")
        assert puzzling.completed_at is not None
        assert Rebilling.objects.get().retry_on == puzzling.completed_at.date() + datetime.timedelta(days=1)

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
        Payment.objects.filter(id=declined.id).update(needs_review=True, review_reason="moved after all, as pi_1")
        content = operator.get(path_of(declined, "change")).content.decode()
        assert path_of(declined, "mark-resolved") in content
        assert path_of(declined, "mark-succeeded") not in content
        messages = messages_of(operator, path_of(declined, "mark-resolved"), {"reason": "sent back at the gateway"})
        assert messages == ["Marked as resolved."]
        declined.refresh_from_db()
        assert (declined.status, declined.needs_review) == ("DECLINED", False)
        assert logged() == [("olga", str(declined.id), "Mark as resolved: sent back at the gateway")]

    def test_of_what_waits_for_an_outcome_is_refused(self, operator: Client, puzzling: Payment) -> None:
        before = state()
        assert messages_of(operator, path_of(puzzling, "mark-resolved"), SAID) == [
            "The payment is UNKNOWN and has nothing to be marked as resolved."
        ]
        assert state() == before
