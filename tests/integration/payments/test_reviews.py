"""Reviews: a person resolves a payment or a refund that needs review, and what follows."""

import datetime
import uuid
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.errors import OperationError
from accounts.models import Account
from accounts.reasons import InvalidReason
from invoices.credits import grant_credit
from ledger.models import Entry
from payments.gateways.port import Declined, Succeeded, Unknown
from payments.locked_attempts import UnknownPayment, UnknownRefund
from payments.messages import dispatch
from payments.models import Payment, Refund
from payments.reviews import (
    NotYetResolvable,
    ReferenceMissing,
    UnableToResolve,
    mark_resolved,
    resolve_payment,
    resolve_refund,
)
from tests.builders import NOW, TODAY, QueueInHand, ScriptedGateway, an_account, billed, delivered
from tests.support.databases import rolled_back
from tests.support.owing import invoices_of, owing, rows, state_of
from tests.support.payments import collected
from tests.support.refunds import entries_of, paid, refunded, requested, sent
from tests.support.unchanged import nothing_moves

NEEDS_REVIEW = Unknown(reason="the gateway moved 500 USD", needs_review=True)
WITHOUT = [
    ({"reason": " "}, InvalidReason),
    ({"reference": " "}, ReferenceMissing),
    ({"reference": "x" * 201}, ReferenceMissing),
    ({"reference": "pi\0"}, ReferenceMissing),
]

pytestmark = rolled_back


@pytest.fixture
def account() -> Account:
    """Its payment needs review."""
    return owing(NEEDS_REVIEW)


def resolved(payment: Payment, **given: Any) -> Payment:
    said: dict[str, Any] = {"taken": True, "reference": "pi_7", "reason": "seen at the gateway", "author": "staff:anna"}
    return resolve_payment(payment_id=payment.id, today=TODAY, now=NOW, **said | given)


def refused(refusal: type[OperationError], payment: Payment, **given: Any) -> OperationError:
    with nothing_moves(), pytest.raises(refusal) as caught:
        resolved(payment, **given)
    return caught.value


class TestResolvePayment:
    def test_as_taken_books_it_under_the_persons_name(self, account: Account) -> None:
        payment = resolved(account.payments.get(), reference=" pi_7 ")
        assert (payment.status, payment.gateway_reference, payment.needs_review) == ("SUCCEEDED", "pi_7", False)
        payment.refresh_from_db()
        assert (payment.resolution, payment.resolved_by) == ("seen at the gateway", "staff:anna")
        entry = Entry.objects.get(type="payment")
        assert (entry.amount_minor, entry.created_by, entry.payment_id) == (1999, "staff:anna", payment.id)
        assert rows(account) == [("PAID", 0, 1999)]
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_as_not_taken_is_no_decline_and_is_submitted_anew(
        self,
        account: Account,
        monkeypatch: pytest.MonkeyPatch,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        queue = QueueInHand()
        monkeypatch.setattr(dispatch, "configured_queue", lambda: queue)
        with django_capture_on_commit_callbacks(execute=True):
            payment = resolved(account.payments.get(), taken=False, reference="")
        assert (payment.status, payment.decline_code, payment.needs_review) == ("DECLINED", "resolved_by_person", False)
        again = account.payments.get(status="SUBMITTED")
        assert (again.cause, again.amount_minor, again.created_by) == ("invoice", 1999, "staff:anna")
        assert queue.payments == [again.id]
        (invoice,) = invoices_of(account)
        assert (invoice.in_flight, invoice.declined_on) == (True, None)
        assert state_of(account) == ("PENDING", 1999, 0)
        assert account.dunning_on is None
        assert delivered(bodies=queue.take()) == []
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_as_not_taken_uses_credit_that_was_granted_meanwhile(self, account: Account) -> None:
        grant_credit(account_id=account.id, amount_minor=500, reason="r", author="t", today=TODAY, now=NOW)
        resolved(account.payments.get(), taken=False)
        again = account.payments.get(status="SUBMITTED")
        assert (again.amount_minor, rows(account)) == (1499, [("OPEN", 500, 0)])
        collected(again.id)
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_as_not_taken_with_credit_for_all_of_it_submits_nothing(self, account: Account) -> None:
        grant_credit(account_id=account.id, amount_minor=1999, reason="r", author="t", today=TODAY, now=NOW)
        resolved(account.payments.get(), taken=False)
        assert (account.payments.count(), rows(account)) == (1, [("PAID", 1999, 0)])
        assert state_of(account) == ("ACTIVE", 0, 0)

    @pytest.mark.parametrize(("given", "refusal"), WITHOUT)
    def test_is_refused_without_what_it_needs(
        self, account: Account, given: dict[str, str], refusal: type[OperationError]
    ) -> None:
        refused(refusal, account.payments.get(), **given)

    def test_is_refused_with_another_payments_reference(self, account: Account) -> None:
        an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(lambda request: Succeeded.of(request, reference="pi_7")))
        refusal = refused(ReferenceMissing, account.payments.get())
        assert refusal.errors == {"reference": "Another payment has this reference."}

    def test_is_refused_where_somebody_books_the_reference_at_this_moment(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = paid()
        Payment.objects.filter(id=other.id).update(gateway_reference="pi_7")
        monkeypatch.setattr("payments.reviews.checked_reference", lambda row, reference: reference)
        refusal = refused(UnableToResolve, account.payments.get())
        assert refusal.detail == f"Nothing was recorded: the gateway named pi_7, which is payment {other.id}."

    def test_is_refused_once_it_is_known(self, account: Account) -> None:
        payment = resolved(account.payments.get())
        assert "SUCCEEDED" in refused(UnableToResolve, payment, taken=False).detail

    def test_is_refused_while_a_worker_holds_its_lease(self, account: Account) -> None:
        Payment.objects.update(leased_until=NOW + datetime.timedelta(seconds=1))
        assert refused(NotYetResolvable, account.payments.get()).passing  # type: ignore[attr-defined]

    def test_is_refused_while_it_needs_no_review(self) -> None:
        refused(UnableToResolve, owing(Unknown(reason="timed out")).payments.get())

    def test_is_refused_for_an_unknown_id(self) -> None:
        refused(UnknownPayment, Payment(id=uuid.uuid4()))


def resolved_refund(refund: Refund, **given: Any) -> Refund:
    said: dict[str, Any] = {"sent": True, "reference": "re_7", "reason": "seen at the gateway", "author": "staff:bo"}
    return resolve_refund(refund_id=refund.id, today=TODAY, now=NOW, **said | given)


def refund_refused(refusal: type[OperationError], refund: Refund, **given: Any) -> OperationError:
    with nothing_moves(), pytest.raises(refusal) as caught:
        resolved_refund(refund, **given)
    return caught.value


class TestResolveRefund:
    @pytest.fixture
    def refund(self) -> Refund:
        refund = requested(paid(), 700)
        assert sent(refund, gateway=ScriptedGateway(refunds=[NEEDS_REVIEW])) == []
        return Refund.objects.get()

    def test_as_sent_books_it_under_the_persons_name(self, refund: Refund) -> None:
        resolved = resolved_refund(refund, reference=" re_7 ")
        assert (resolved.status, resolved.gateway_reference, resolved.needs_review) == ("SUCCEEDED", "re_7", False)
        assert (resolved.review_reason, resolved.completed_at) == ("", NOW)
        refund.refresh_from_db()
        assert (refund.resolution, refund.resolved_by) == ("seen at the gateway", "staff:bo")
        account = refund.payment.account
        assert entries_of(account)[2:] == [("refund", 700), ("credit_note", 700)]
        assert [entry.created_by for entry in Entry.objects.order_by("id")[2:]] == ["staff:bo"] * 2
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_as_not_sent_leaves_it_to_be_refunded_again(self, refund: Refund) -> None:
        resolved = resolved_refund(refund, sent=False, reference="")
        assert (resolved.status, resolved.failure_code) == ("FAILED", "resolved_by_person")
        assert not resolved.needs_review
        assert entries_of(refund.payment.account) == [("charge", 1999), ("payment", 1999)]
        refunded(refund.payment, 1999)

    @pytest.mark.parametrize(("given", "refusal"), WITHOUT)
    def test_is_refused_without_what_it_needs(
        self, refund: Refund, given: dict[str, str], refusal: type[OperationError]
    ) -> None:
        refund_refused(refusal, refund, **given)

    def test_is_refused_with_another_refunds_reference(self, refund: Refund) -> None:
        other = refunded(paid(), 700)
        refund_refused(ReferenceMissing, refund, reference=other.gateway_reference)

    def test_is_refused_once_it_is_known_or_while_it_needs_no_review(self, refund: Refund) -> None:
        resolved_refund(refund)
        assert "SUCCEEDED" in refund_refused(UnableToResolve, refund, sent=False).detail
        assert "SUBMITTED" in refund_refused(UnableToResolve, requested(refund.payment, 1)).detail

    def test_is_refused_while_a_worker_holds_its_lease(self, refund: Refund) -> None:
        Refund.objects.update(leased_until=NOW + datetime.timedelta(seconds=1))
        assert "this moment" in refund_refused(NotYetResolvable, refund).detail

    def test_is_refused_for_an_unknown_id(self) -> None:
        refund_refused(UnknownRefund, Refund(id=uuid.uuid4()))


class TestMarkResolved:
    @pytest.mark.parametrize("code", ["never_received", "amount_not_expressible", "invalid_request"])
    def test_removes_the_mark_of_a_payment_of_our_own_fault(self, code: str) -> None:
        payment = owing(Declined(code=code)).payments.get()
        mark_resolved(row=payment, reason="fixed", author="staff:anna")
        payment.refresh_from_db()
        assert (payment.status, payment.needs_review) == ("DECLINED", False)
        assert (payment.resolution, payment.resolved_by) == ("fixed", "staff:anna")

    def test_is_refused_without_a_reason_and_where_nothing_waits(self) -> None:
        payment = owing(Declined(code="invalid_request")).payments.get()
        with nothing_moves(), pytest.raises(InvalidReason):
            mark_resolved(row=payment, reason=" ", author="staff:anna")
        mark_resolved(row=payment, reason="fixed", author="staff:anna")
        with pytest.raises(UnableToResolve):
            mark_resolved(row=payment, reason="again", author="staff:anna")

    def test_is_refused_while_the_outcome_is_not_known(self, account: Account) -> None:
        payment = account.payments.get()
        with nothing_moves(), pytest.raises(UnableToResolve, match="UNKNOWN"):
            mark_resolved(row=payment, reason="r", author="staff:anna")
