"""Collecting an invoice at once: on request, and with a new payment method."""

import datetime
import uuid
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.errors import OperationError
from accounts.models import Account
from invoices.locked_invoices import UnknownInvoice
from invoices.write_offs import PaymentInFlight
from payments.account_updates import update_account
from payments.gateways.port import Unknown
from payments.messages import dispatch
from payments.messages.format import to_json
from payments.messages.rows import PaymentsMessage
from payments.models import Payment
from payments.payment_requests import UnableToCollect, pay_invoice, try_new_method
from tests.builders import NOW, TODAY, QueueInHand, ScriptedGateway, an_account, billed, delivered
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED, FEB_1, HARD, answers, invoices_of, owing, owing_two_months, state_of
from tests.support.refunds import paid
from tests.support.signatures import undated
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> QueueInHand:
    queue = QueueInHand()
    monkeypatch.setattr(dispatch, "configured_queue", lambda: queue)
    return queue


def asked_for(account: Account, which: int = 0) -> Payment:
    return pay_invoice(invoice_id=invoices_of(account)[which].id, author="staff:anna", now=NOW)


def refused(refusal: type[OperationError], account: Account) -> OperationError:
    with nothing_moves(), pytest.raises(refusal) as caught:
        asked_for(account)
    return caught.value


class TestPayInvoice:
    def test_submits_what_is_outstanding_and_sends_it_when_committed(
        self, queue: QueueInHand, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        account = owing()
        Account.objects.filter(id=account.id).update(payment_customer="cus_2", payment_method="pm_2")
        with django_capture_on_commit_callbacks(execute=True):
            payment = asked_for(account)
            assert queue.bodies == []
        assert (payment.status, payment.cause, payment.amount_minor) == ("SUBMITTED", "request", 1999)
        assert (payment.customer, payment.payment_method) == ("cus_2", "pm_2")
        assert (payment.created_by, payment.gateway, payment.submitted_at) == ("staff:anna", "logging", NOW)
        assert queue.payments == [payment.id]
        assert invoices_of(account)[0].in_flight
        assert delivered(bodies=queue.take()) == []
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_of_an_unpaid_account_bills_it_again(self, queue: QueueInHand) -> None:
        account = owing()
        for number in range(1, 8):
            billed(as_of=TODAY + datetime.timedelta(days=number), gateway=answers(DECLINED))
        assert state_of(account)[0] == "INACTIVE"
        dispatch.send_payments(payment_ids=[asked_for(account).id], queue=queue)
        assert delivered(bodies=queue.take()) == []
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_of_a_sent_invoice_collects_it_all_the_same(self, queue: QueueInHand) -> None:
        account = an_account(collection_method="send_invoice")
        billed(as_of=TODAY)
        dispatch.send_payments(payment_ids=[asked_for(account).id], queue=queue)
        gateway = ScriptedGateway()
        assert delivered(bodies=queue.take(), gateway=gateway) == []
        assert [request.amount_minor for request in gateway.requests] == [1999]
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_is_refused_while_a_payment_is_in_flight(self) -> None:
        assert refused(PaymentInFlight, owing(Unknown(reason="?"))).passing  # type: ignore[attr-defined]
        account = owing()
        asked_for(account)
        refused(PaymentInFlight, account)

    def test_is_refused_where_nothing_is_outstanding(self) -> None:
        assert "is PAID" in refused(UnableToCollect, paid().account).detail

    def test_asks_for_no_other_invoice(self, queue: QueueInHand) -> None:
        account = owing_two_months()
        gateway = ScriptedGateway()
        asked_for(account)
        body = to_json(PaymentsMessage(ids=(account.payments.latest("id").id,)))
        assert delivered(bodies=[body], gateway=gateway, queue=queue, today=FEB_1) == []
        assert (len(gateway.requests), queue.bodies) == (1, [])
        assert state_of(account) == ("PAST_DUE", 1999, 0)

    @pytest.mark.parametrize("method", ["pm_1", "pm_2"])
    def test_is_refused_with_a_method_that_was_declined_for_good_until_it_is_given_again(self, method: str) -> None:
        account = owing(HARD, payment_method="pm_1")
        refusal = refused(UnableToCollect, account)
        assert refusal.detail.endswith("Set a payment method first: another one, or the same.")
        signed: dict[str, Any] = {"reason": "r", "author": "staff:anna", "today": TODAY, "now": NOW}
        update_account(account_id=account.id, changes={"payment_method": method}, **undated(signed))
        payment = account.payments.latest("id")
        assert (payment.cause, payment.payment_method, payment.status) == ("payment_method", method, "SUBMITTED")

    def test_is_not_made_because_a_method_was_taken_away(self) -> None:
        account = owing(payment_method="pm_1")
        signed: dict[str, Any] = {"reason": "r", "author": "staff:anna", "today": TODAY, "now": NOW}
        update_account(account_id=account.id, changes={"payment_method": ""}, **undated(signed))
        assert account.payments.count() == 1

    def test_is_refused_for_an_unknown_invoice(self) -> None:
        with pytest.raises(UnknownInvoice):
            pay_invoice(invoice_id=uuid.uuid4(), author="t", now=NOW)
        assert Payment.objects.count() == 0


class TestTryNewMethod:
    def test_collects_the_oldest_declined_invoice(self) -> None:
        account = owing_two_months()
        try_new_method(account_id=account.id, author="t", now=NOW)
        payment = account.payments.latest("id")
        assert (payment.cause, payment.status) == ("payment_method", "SUBMITTED")
        assert payment.invoice_id == invoices_of(account)[0].id

    def test_goes_on_with_the_next_when_it_is_paid(self, queue: QueueInHand) -> None:
        account = owing_two_months()
        try_new_method(account_id=account.id, author="t", now=NOW)
        dispatch.send_payments(payment_ids=[account.payments.latest("id").id], queue=queue)
        while bodies := queue.take():
            assert delivered(bodies=bodies, today=FEB_1, queue=queue) == []
        assert state_of(account) == ("ACTIVE", 0, 0)

    @pytest.mark.parametrize("answer", [Unknown(reason="?"), None])
    def test_does_nothing_where_nothing_waits_for_it(self, answer: Any) -> None:
        account = owing(answer) if answer else paid().account
        try_new_method(account_id=account.id, author="t", now=NOW)
        assert account.payments.count() == 1
