"""The staff's actions on refunds: request, look up, resolve, record that money came back."""

import datetime
from typing import Any
from unittest import mock

import pytest
from django.test import Client

from invoices.credits import grant_credit
from invoices.models import CreditNote
from ledger.balances import balance
from ledger.models import Entry
from payments.gateways.port import Unknown
from payments.messages import dispatch
from payments.messages.queue import UnableToSend
from payments.models import Payment, Refund
from payments.outcomes import OUR_FAULT
from tests.builders import NOW, TODAY, QueueInHand, ScriptedGateway, a_plan, an_account
from tests.functional.backoffice.action_requests import logged, messages_of, path_of, state, submission_of
from tests.functional.backoffice.conftest import page
from tests.support.databases import rolled_back
from tests.support.owing import received, rows, state_of
from tests.support.refunds import entries_of, paid, refunded, requested, sent

pytestmark = rolled_back

REQUESTED = ["The refund was requested. Its status is below, and will be known in a moment."]
SENT_WRONGLY = Unknown(reason="the gateway moved 500 USD", needs_review=True)


def said(client: Client, payment: Payment, **given: str) -> dict[str, str]:
    submission = submission_of(client, payment, "refund")
    return {"reason": "unhappy", "source": "payment", "amount": "7.00", "submission": submission} | given


@pytest.fixture
def payment() -> Payment:
    return paid(external_reference="ENGINE-1")


@pytest.fixture
def waiting(payment: Payment) -> Refund:
    """A refund of 7.00 that needs review."""
    refund = requested(payment, 700)
    assert sent(refund, gateway=ScriptedGateway(refunds=[SENT_WRONGLY])) == []
    return Refund.objects.get()


class TestRefund:
    def test_reserves_what_was_entered(self, operator: Client, payment: Payment) -> None:
        assert path_of(payment, "refund") in page(operator, f"payments/payment/{payment.id}/change/")
        form = operator.get(path_of(payment, "refund")).content.decode()
        assert "The payment: 19.99 USD is left to refund. Its invoice gets a credit note." in form
        assert "The account&#x27;s credit: 0.00 USD can be paid out against this payment." in form
        once = said(operator, payment)

        assert messages_of(operator, path_of(payment, "refund"), once) == REQUESTED

        refund = Refund.objects.get()
        assert (str(refund.id), refund.source) == (once["submission"], "payment")
        assert (refund.status, refund.amount_minor, refund.created_by) == ("SUBMITTED", 700, "staff:olga")
        assert (refund.payment_id, refund.reason) == (payment.id, "unhappy")
        assert logged() == [("olga", str(payment.id), "Refund this payment: unhappy")]
        for shown in (f"payments/payment/{payment.id}/change/", f"accounts/account/{payment.account_id}/change/"):
            assert path_of(refund, "change") in page(operator, shown)
        content = page(operator, f"payments/refund/{refund.id}/change/")
        assert "7.00 USD" in content
        assert path_of(payment, "change") in content
        for query in ("q=ENGINE-1", f"account__id__exact={payment.account_id}"):
            assert str(refund.id) in page(operator, f"payments/refund/?{query}")

    def test_sent_twice_is_reserved_once(self, operator: Client, payment: Payment) -> None:
        once = said(operator, payment)
        operator.post(path_of(payment, "refund"), once)
        before = state()
        assert messages_of(operator, path_of(payment, "refund"), once) == ["This refund was requested before."]
        assert state() == before
        assert messages_of(operator, path_of(payment, "refund"), said(operator, payment)) == REQUESTED
        assert list(Refund.objects.values_list("amount_minor", flat=True)) == [700, 700]

    def test_of_offline_money_is_recorded(self, operator: Client) -> None:
        account = an_account(plan=a_plan(currency="JPY", unit_amount_minor=5000))
        payment = received(account, 500)
        operator.post(path_of(payment, "refund"), said(operator, payment, amount="200", source="balance"))
        assert entries_of(account) == [("payment", 500), ("refund", 200)]
        assert balance(account_id=account.id) == -300

    def test_from_the_credit_pays_it_out_and_leaves_the_invoice_alone(self, operator: Client, payment: Payment) -> None:
        account = payment.account
        grant_credit(account_id=account.id, amount_minor=500, reason="sorry", author="test", today=TODAY, now=NOW)
        form = operator.get(path_of(payment, "refund")).content.decode()
        assert "The account&#x27;s credit: 5.00 USD can be paid out against this payment." in form

        once = said(operator, payment, source="balance", amount="5,00")
        assert messages_of(operator, path_of(payment, "refund"), once) == REQUESTED

        refund = Refund.objects.get()
        assert (refund.source, refund.amount_minor) == ("balance", 500)
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert sent(refund) == []
        assert entries_of(account)[2:] == [("credit", 500), ("refund", 500)]
        assert payment.invoice
        payment.invoice.refresh_from_db()
        assert (payment.invoice.refunded_minor, CreditNote.objects.count()) == (0, 0)

    def test_from_the_payment_gives_its_invoice_a_credit_note(self, operator: Client, payment: Payment) -> None:
        operator.post(path_of(payment, "refund"), said(operator, payment))
        refund = Refund.objects.get()
        assert sent(refund) == []
        note = CreditNote.objects.get()
        assert (note.invoice_id, note.amount_minor, note.refund_id) == (payment.invoice_id, 700, refund.id)
        assert state_of(payment.account) == ("ACTIVE", 0, 0)
        assert path_of(note, "change") in page(operator, f"payments/refund/{refund.id}/change/")
        assert path_of(refund, "change") in page(operator, f"invoices/creditnote/{note.id}/change/")

    @pytest.mark.parametrize(
        ("field", "value", "says"),
        [
            ("amount", "20.00", "Of this payment, 19.99 USD is left to refund."),
            ("amount", "0", "Must be from 0.01 USD to 999,999.99 USD (the setting MAX_MOVEMENT_MINOR)."),
            ("amount", "7.001", "errorlist"),
            ("amount", "-7", "errorlist"),
            ("reason", " ", "errorlist"),
            ("source", "", "errorlist"),
            ("source", "elsewhere", "errorlist"),
            ("source", "balance", "Of this payment, 0.00 USD is left to refund from the credit balance."),
            ("submission", "", "errorlist"),
        ],
    )
    def test_with_invalid_input_is_refused(
        self, operator: Client, payment: Payment, field: str, value: str, says: str
    ) -> None:
        wrong = said(operator, payment, **{field: value})
        before = state()
        response = operator.post(path_of(payment, "refund"), wrong)
        assert response.status_code == 200
        assert says in response.content.decode()
        assert state() == before

    def test_is_offered_while_something_is_left(self, operator: Client, payment: Payment) -> None:
        requested(payment)
        assert path_of(payment, "refund") not in page(operator, f"payments/payment/{payment.id}/change/")

    def test_is_for_operators_only(self, support: Client, payment: Payment) -> None:
        assert path_of(payment, "refund") not in page(support, f"payments/payment/{payment.id}/change/")
        before = state()
        assert support.get(path_of(payment, "refund")).status_code == 403
        assert support.post(path_of(payment, "refund"), {"amount": "7.00", "reason": "r"}).status_code == 403
        assert state() == before


class TestARefundThatNeedsReview:
    def test_is_marked_as_succeeded_with_the_gateways_reference(self, operator: Client, waiting: Refund) -> None:
        content = page(operator, f"payments/refund/{waiting.id}/change/")
        assert "the gateway moved 500 USD" in content
        form = {"reason": "seen there", "reference": "re_7"}

        assert messages_of(operator, path_of(waiting, "mark-succeeded"), form) == [
            "The refund was marked as succeeded."
        ]

        waiting.refresh_from_db()
        assert (waiting.status, waiting.gateway_reference, waiting.needs_review) == ("SUCCEEDED", "re_7", False)
        account = waiting.payment.account
        assert entries_of(account)[2:] == [("refund", 700), ("credit_note", 700)]
        assert set(Entry.objects.filter(type__in=["refund", "credit_note"]).values_list("created_by", flat=True)) == {
            "staff:olga"
        }
        assert rows(account) == [("PAID", 0, 1999)]
        assert logged() == [("olga", str(waiting.id), "Mark as succeeded: seen there")]
        assert path_of(waiting, "mark-succeeded") not in page(operator, f"payments/refund/{waiting.id}/change/")

    def test_is_marked_as_failed(self, operator: Client, waiting: Refund) -> None:
        messages = messages_of(operator, path_of(waiting, "mark-failed"), {"reason": "not there"})
        assert messages == ["The refund was marked as failed."]
        waiting.refresh_from_db()
        assert (waiting.status, waiting.failure_code) == ("FAILED", "resolved_by_person")
        assert entries_of(waiting.payment.account) == [("charge", 1999), ("payment", 1999)]
        assert logged() == [("olga", str(waiting.id), "Mark as failed: not there")]

    def test_is_looked_up_again(
        self,
        operator: Client,
        waiting: Refund,
        monkeypatch: pytest.MonkeyPatch,
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        queue = QueueInHand()
        monkeypatch.setattr(dispatch, "configured_queue", lambda: queue)
        with django_capture_on_commit_callbacks(execute=True):
            operator.post(path_of(waiting, "look-up"), {"reason": "they looked"})
        assert queue.refunds == [waiting.id]

    def test_shows_an_error_when_the_queue_takes_nothing(
        self, operator: Client, waiting: Refund, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dispatch, "configured_queue", mock.Mock(side_effect=UnableToSend("it is away")))
        (message,) = messages_of(operator, path_of(waiting, "look-up"), {"reason": "they say they know"})
        assert message == "The gateway isn't called: it is away"
        assert logged() == []

    def test_sent_after_it_had_failed_is_booked_as_another(self, operator: Client, waiting: Refund) -> None:
        Refund.objects.update(status="FAILED", failure_code="never_received", completed_at=waiting.submitted_at)
        content = page(operator, f"payments/refund/{waiting.id}/change/")
        assert path_of(waiting, "mark-resolved") in content
        Refund.objects.update(review_reason=OUR_FAULT["not_reserved"])
        assert (
            "No money was moved: nothing has reserved its money; it was not sent. Fix the cause, refund the payment "
            "again, then mark this as resolved."
        ) in page(operator, f"payments/refund/{waiting.id}/mark-resolved/")
        Refund.objects.update(review_reason="the money was moved after all, as re_9, and is not in the ledger")
        assert "money that is back at the gateway" in page(operator, f"payments/refund/{waiting.id}/mark-resolved/")
        form = {"reason": "seen there", "reference": "re_9"}
        assert messages_of(operator, path_of(waiting, "book-late"), form) == [
            "The money was booked as another refund of the payment."
        ]
        assert sorted(Refund.objects.values_list("status", "amount_minor")) == [("FAILED", 700), ("SUCCEEDED", 700)]
        assert entries_of(waiting.payment.account)[2:] == [("refund", 700), ("credit_note", 700)]
        assert logged() == [("olga", str(waiting.id), "Book as a late refund: seen there")]
        assert path_of(waiting, "book-late") not in page(operator, f"payments/refund/{waiting.id}/change/")

    @pytest.mark.parametrize("action", ["mark-succeeded", "mark-failed", "look-up", "book-late"])
    def test_is_resolved_by_operators_only(self, support: Client, waiting: Refund, action: str) -> None:
        before = state()
        form = {"reason": "r", "reference": "re_7"}
        assert support.post(path_of(waiting, action), form).status_code == 403
        assert path_of(waiting, action) not in page(support, f"payments/refund/{waiting.id}/change/")
        assert state() == before

    def test_is_refused_while_a_worker_is_looking_it_up(self, operator: Client, waiting: Refund) -> None:
        Refund.objects.update(leased_until=datetime.datetime(2200, 1, 1, tzinfo=datetime.UTC))
        before = state()
        (message,) = messages_of(operator, path_of(waiting, "mark-succeeded"), {"reason": "r", "reference": "re_7"})
        assert message.startswith("The gateway is being called for it at this moment")
        assert state() == before


class TestCameBack:
    def test_becomes_credit(self, operator: Client, payment: Payment) -> None:
        refund = refunded(payment, 700)
        messages = messages_of(operator, path_of(refund, "came-back"), {"reason": "account closed"})
        assert messages == ["Recorded."]
        entry = Entry.objects.get(type="refund_reversed")
        assert (entry.refund_id, entry.amount_minor, entry.created_by) == (refund.id, 700, "staff:olga")
        assert state_of(payment.account) == ("ACTIVE", 0, 700)
        assert logged() == [("olga", str(refund.id), "Record that it came back: account closed")]
        assert path_of(refund, "came-back") not in page(operator, f"payments/refund/{refund.id}/change/")
        before = state()
        assert messages_of(operator, path_of(refund, "came-back"), {"reason": "again"}) == [
            "This was already recorded."
        ]
        assert state() == before

    def test_of_one_that_was_not_sent_is_refused(self, operator: Client, waiting: Refund) -> None:
        assert path_of(waiting, "came-back") not in page(operator, f"payments/refund/{waiting.id}/change/")
        before = state()
        assert messages_of(operator, path_of(waiting, "came-back"), {"reason": "no"}) == [
            "The refund is UNKNOWN: no money of it was sent."
        ]
        assert state() == before
