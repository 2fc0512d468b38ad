"""Payments that staff try again, ask about, or settle."""

import datetime
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from ledger.models import Entry
from payments.gateways import Declined, Unknown
from payments.models import Payment
from rebilling import dispatch
from rebilling.models import Rebilling
from rebilling.queue import UnableToSend
from tests.builders import TODAY, QueueInHand, ScriptedGateway, an_account, billed, delivered, takes
from tests.databases import rolled_back
from tests.integration.backoffice.acting import logged, messages_of, path_of, state

pytestmark = rolled_back

ACTIONS = ["retry", "ask", "taken", "not-taken"]
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
    """It needs a person."""
    an_account()
    billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="the gateway moved 500 USD", needs_person=True)))
    return Payment.objects.get(needs_person=True)


class TestWhatIsOffered:
    def test_is_what_helps(self, operator: Client, support: Client, declined: Payment, puzzling: Payment) -> None:
        an_account()
        billed(as_of=TODAY)
        paid = Payment.objects.get(status="SUCCEEDED")
        for payment, names in ((declined, ["retry"]), (puzzling, ["ask", "taken", "not-taken"]), (paid, [])):
            content = operator.get(path_of(payment, "change")).content.decode()
            assert [name for name in ACTIONS if path_of(payment, name) in content] == names
            content = support.get(path_of(payment, "change")).content.decode()
            assert not [name for name in ACTIONS if path_of(payment, name) in content]

    def test_is_listed_by_who_needs_a_person(self, operator: Client, declined: Payment, puzzling: Payment) -> None:
        content = operator.get("/admin/payments/payment/?needs_person__exact=1").content.decode()
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
            told = messages_of(operator, path_of(declined, "retry"), {"reason": "new card"})
        assert told == ["A new payment was submitted; its outcome is known in a moment."]
        assert logged() == [("olga", str(declined.id), "Try again: new card")]
        assert delivered(bodies=sent.take()) == []
        assert sorted(Payment.objects.values_list("status", flat=True)) == ["DECLINED", "SUCCEEDED"]
        assert Rebilling.objects.get().status == "PAID"

    def test_is_for_the_gateway_that_is_set_and_needs_no_key_of_it(
        self, operator: Client, declined: Payment, settings: Any
    ) -> None:
        settings.PAYMENT_GATEWAY, settings.STRIPE_API_KEY = "payments.gateways.stripe_gateway.StripeGateway", ""
        operator.post(path_of(declined, "retry"), {"reason": "new card"})
        assert sorted(Payment.objects.values_list("gateway", "status")) == [
            ("scripted", "DECLINED"),
            ("stripe", "SUBMITTED"),
        ]

    def test_of_what_is_on_its_way_is_refused(self, operator: Client, declined: Payment) -> None:
        operator.post(path_of(declined, "retry"), {"reason": "new card"})
        before = state()
        assert messages_of(operator, path_of(declined, "retry"), {"reason": "again"}) == [
            "The payment's charge is UNPAID: another payment of it is on its way."
        ]
        assert state() == before


class TestAsk:
    def test_asks_the_gateway_once_more(
        self,
        operator: Client,
        puzzling: Payment,
        sent: QueueInHand,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            told = messages_of(operator, path_of(puzzling, "ask"), {"reason": "they say they know"})
        assert told == ["The gateway is being asked; look again in a moment."]
        # When what the first call leased is free again.
        later = puzzling.submitted_at + datetime.timedelta(minutes=3)
        assert delivered(bodies=sent.take(), gateway=ScriptedGateway(found=[takes]), now=later) == []
        puzzling.refresh_from_db()
        assert (puzzling.status, puzzling.needs_person) == ("SUCCEEDED", False)

    def test_is_told_when_the_queue_takes_nothing(
        self, operator: Client, puzzling: Payment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dispatch, "configured_queue", mock.Mock(side_effect=UnableToSend("it is away")))
        (told,) = messages_of(operator, path_of(puzzling, "ask"), {"reason": "they say they know"})
        assert told == "The gateway isn't asked: it is away"
        assert logged() == []


class TestSettle:
    def test_as_taken_books_it_in_the_persons_name(self, operator: Client, puzzling: Payment) -> None:
        told = messages_of(operator, path_of(puzzling, "taken"), SAID)
        assert told == ["The payment is settled: the money was taken."]
        puzzling.refresh_from_db()
        assert (puzzling.status, puzzling.gateway_reference) == ("SUCCEEDED", "pi_7")
        assert Entry.objects.get(type="payment").created_by == "staff:olga"

    def test_as_not_taken_leaves_the_charge_to_be_tried_again(self, operator: Client, puzzling: Payment) -> None:
        told = messages_of(operator, path_of(puzzling, "not-taken"), SAID)
        assert told == ["The payment is settled: no money was taken."]
        puzzling.refresh_from_db()
        assert (puzzling.status, puzzling.decline_code) == ("DECLINED", "resolved_by_person")
        assert puzzling.settled_at is not None
        assert Rebilling.objects.get().retry_on == puzzling.settled_at.date() + datetime.timedelta(days=1)

    @pytest.mark.parametrize("reference", ["", "x" * 201])
    def test_as_taken_needs_a_reference(self, operator: Client, puzzling: Payment, reference: str) -> None:
        before = state()
        response = operator.post(path_of(puzzling, "taken"), SAID | {"reference": reference})
        assert "errorlist" in response.content.decode()
        assert state() == before

    def test_twice_is_refused(self, operator: Client, puzzling: Payment) -> None:
        operator.post(path_of(puzzling, "taken"), SAID)
        before = state()
        assert messages_of(operator, path_of(puzzling, "not-taken"), SAID) == [
            "The payment is SUCCEEDED and doesn't need a person."
        ]
        assert state() == before


class TestPutRight:
    def test_is_offered_where_the_money_was_moved_after_all(self, operator: Client, declined: Payment) -> None:
        Payment.objects.filter(id=declined.id).update(needs_person=True, needs_person_reason="moved after all, as pi_1")
        content = operator.get(path_of(declined, "change")).content.decode()
        assert path_of(declined, "put-right") in content
        assert path_of(declined, "taken") not in content
        told = messages_of(operator, path_of(declined, "put-right"), {"reason": "sent back at the gateway"})
        assert told == ["It is put right."]
        declined.refresh_from_db()
        assert (declined.status, declined.needs_person) == ("DECLINED", False)
        assert logged() == [("olga", str(declined.id), "It is put right: sent back at the gateway")]

    def test_of_what_waits_for_an_outcome_is_refused(self, operator: Client, puzzling: Payment) -> None:
        before = state()
        assert messages_of(operator, path_of(puzzling, "put-right"), SAID) == [
            "The payment is UNKNOWN and has nothing to be put right."
        ]
        assert state() == before
