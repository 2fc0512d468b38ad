"""Reviews: a person resolves a payment or a refund that needs review, and what follows."""

import datetime
from typing import Any

import pytest

from accounts.errors import OperationError
from accounts.models import Account
from accounts.reasons import ReasonMissing
from ledger.balances import balance
from ledger.models import Entry
from payments.gateways.port import Declined, Succeeded, Unknown
from payments.models import Payment, Refund
from rebilling.dunning import UnknownPayment
from rebilling.models import Rebilling
from rebilling.refund_outcomes import record_refund_outcomes
from rebilling.refund_requests import NothingToRefund, left_to_refund
from rebilling.reviews import (
    ReferenceMissing,
    UnableToResolve,
    UnknownRefund,
    book_late_refund,
    resolve_payment,
    resolve_refund,
)
from tests.builders import NOW, TODAY, ScriptedGateway, an_account, billed
from tests.support.databases import rolled_back
from tests.support.owing import rows
from tests.support.refunds import entries_of, paid, refunded, requested, sent

NEEDS_REVIEW = Unknown(reason="the gateway moved 500 USD", needs_review=True)

pytestmark = rolled_back


@pytest.fixture
def account() -> Account:
    account = an_account()
    billed(as_of=TODAY, gateway=ScriptedGateway(NEEDS_REVIEW))
    return account


def resolved(payment: Payment, **given: Any) -> Payment:
    said: dict[str, Any] = {"taken": True, "reference": "pi_7", "reason": "seen at the gateway", "author": "staff:anna"}
    return resolve_payment(payment_id=payment.id, today=TODAY, now=NOW, **said | given)


class TestResolvePayment:
    def test_as_taken_books_it_under_the_persons_name(self, account: Account) -> None:
        payment = resolved(account.payments.get())
        assert (payment.status, payment.gateway_reference, payment.needs_review) == ("SUCCEEDED", "pi_7", False)
        entry = Entry.objects.get(type="payment")
        assert (entry.amount_minor, entry.created_by, entry.payment_id) == (1999, "staff:anna", payment.id)
        assert Rebilling.objects.get().status == "PAID"
        account.refresh_from_db()
        assert (account.status, balance(account_id=account.id)) == ("ACTIVE", 0)

    def test_as_not_taken_leaves_the_charge_to_its_retries(self, account: Account) -> None:
        payment = resolved(account.payments.get(), taken=False, reference="")
        assert (payment.status, payment.decline_code, payment.needs_review) == ("DECLINED", "resolved_by_person", False)
        rebilling = Rebilling.objects.get()
        assert (rebilling.status, rebilling.retry_on) == ("UNPAID", TODAY + datetime.timedelta(days=1))
        assert not Entry.objects.filter(type="payment").exists()

    @pytest.mark.parametrize(
        ("given", "refusal"),
        [
            ({"reason": " "}, ReasonMissing),
            ({"reference": " "}, ReferenceMissing),
            ({"reference": "x" * 201}, ReferenceMissing),
        ],
    )
    def test_is_refused_without_what_it_needs(
        self, account: Account, given: dict[str, str], refusal: type[OperationError]
    ) -> None:
        before = list(Payment.objects.values())
        with pytest.raises(refusal):
            resolved(account.payments.get(), **given)
        assert (list(Payment.objects.values()), Entry.objects.count()) == (before, 1)

    def test_is_refused_with_another_payments_reference(self, account: Account) -> None:
        def takes_as_pi_7(request: Any) -> Succeeded:
            return Succeeded.of(request, reference="pi_7")

        an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(takes_as_pi_7))
        before = list(Payment.objects.order_by("id").values())
        with pytest.raises(ReferenceMissing):
            resolved(account.payments.get())
        assert list(Payment.objects.order_by("id").values()) == before

    def test_is_refused_once_it_is_known(self, account: Account) -> None:
        payment = account.payments.get()
        resolved(payment)
        with pytest.raises(UnableToResolve, match="SUCCEEDED"):
            resolved(payment, taken=False)
        assert Entry.objects.filter(type="payment").count() == 1

    def test_is_refused_while_a_worker_holds_its_lease(self, account: Account) -> None:
        Payment.objects.update(leased_until=NOW + datetime.timedelta(seconds=1))
        with pytest.raises(UnableToResolve, match="this moment"):
            resolved(account.payments.get())
        assert Payment.objects.get().status == "UNKNOWN"

    def test_is_refused_while_it_needs_no_review(self) -> None:
        an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="timed out")))
        with pytest.raises(UnableToResolve):
            resolved(Payment.objects.get())
        assert Payment.objects.get().status == "UNKNOWN"

    def test_is_refused_for_an_unknown_id(self) -> None:
        with pytest.raises(UnknownPayment):
            resolved(Payment(id="01a204fe-8f8e-7d54-b1d1-b76a2a8e1c59"))


def resolved_refund(refund: Refund, **given: Any) -> Refund:
    said: dict[str, Any] = {"sent": True, "reference": "re_7", "reason": "seen at the gateway", "author": "staff:bo"}
    return resolve_refund(refund_id=refund.id, today=TODAY, now=NOW, **said | given)


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
        account = refund.payment.account
        assert entries_of(account)[2:] == [("refund", 700), ("credit", 700)]
        assert [entry.created_by for entry in Entry.objects.order_by("id")[2:]] == ["staff:bo"] * 2
        assert (rows(account), balance(account_id=account.id)) == ([("PAID", 700, 1299)], 0)

    def test_as_not_sent_leaves_it_to_be_refunded_again(self, refund: Refund) -> None:
        resolved = resolved_refund(refund, sent=False, reference="")
        assert (resolved.status, resolved.failure_code) == ("FAILED", "resolved_by_person")
        assert not resolved.needs_review
        assert entries_of(refund.payment.account) == [("charge", 1999), ("payment", 1999)]
        assert rows(refund.payment.account) == [("PAID", 0, 1999)]
        refunded(refund.payment, 1999)

    @pytest.mark.parametrize(
        ("given", "refusal"),
        [
            ({"reason": " "}, ReasonMissing),
            ({"reference": " "}, ReferenceMissing),
            ({"reference": "x" * 201}, ReferenceMissing),
        ],
    )
    def test_is_refused_without_what_it_needs(
        self, refund: Refund, given: dict[str, str], refusal: type[OperationError]
    ) -> None:
        before = list(Refund.objects.values())
        with pytest.raises(refusal):
            resolved_refund(refund, **given)
        assert (list(Refund.objects.values()), Entry.objects.count()) == (before, 2)

    def test_is_refused_with_another_refunds_reference(self, refund: Refund) -> None:
        other = refunded(paid(), 700)
        before = list(Refund.objects.order_by("id").values())
        with pytest.raises(ReferenceMissing):
            resolved_refund(refund, reference=other.gateway_reference)
        assert list(Refund.objects.order_by("id").values()) == before
        assert rows(refund.payment.account) == [("PAID", 0, 1999)]

    def test_is_refused_once_it_is_known_or_while_it_needs_no_review(self, refund: Refund) -> None:
        resolved_refund(refund)
        with pytest.raises(UnableToResolve, match="SUCCEEDED"):
            resolved_refund(refund, sent=False)
        submitted = requested(refund.payment, 1)
        with pytest.raises(UnableToResolve, match="SUBMITTED"):
            resolved_refund(submitted)
        submitted.refresh_from_db()
        assert (submitted.status, Entry.objects.count()) == ("SUBMITTED", 4)

    def test_is_refused_while_a_worker_holds_its_lease(self, refund: Refund) -> None:
        Refund.objects.update(leased_until=NOW + datetime.timedelta(seconds=1))
        with pytest.raises(UnableToResolve, match="this moment"):
            resolved_refund(refund)
        assert Refund.objects.get().status == "UNKNOWN"

    def test_is_refused_for_an_unknown_id(self) -> None:
        with pytest.raises(UnknownRefund):
            resolved_refund(Refund(id="01a204fe-8f8e-7d54-b1d1-b76a2a8e1c59"))


def booked_late(refund: Refund, **given: Any) -> Refund:
    said: dict[str, Any] = {"reference": "re_9", "reason": "seen at the gateway", "author": "staff:bo"}
    return book_late_refund(refund_id=refund.id, today=TODAY, now=NOW, **said | given)


class TestBookLateRefund:
    """The gateway sent the money although the refund is FAILED."""

    @pytest.fixture
    def failed(self) -> Refund:
        refund = requested(paid(), 700)
        assert sent(refund, gateway=ScriptedGateway(refunds=[Declined(code="charge_disputed")])) == []
        late = Succeeded(reference="re_9", key=refund.id, amount_minor=700, currency="USD")
        assert record_refund_outcomes(outcomes={refund.id: late}, as_of=TODAY, now=NOW) == []
        refund.refresh_from_db()
        assert (refund.status, refund.needs_review) == ("FAILED", True)
        assert refund.review_reason == "the money was moved after all, as re_9, and is not in the ledger"
        return refund

    def test_books_a_refund_of_its_own_under_the_persons_name(self, failed: Refund) -> None:
        late = booked_late(failed, reference=" re_9 ")
        account = failed.payment.account
        assert (late.status, late.amount_minor, late.gateway_reference) == ("SUCCEEDED", 700, "re_9")
        assert (late.payment_id, late.reason, late.created_by) == (failed.payment_id, "seen at the gateway", "staff:bo")
        assert entries_of(account)[2:] == [("refund", 700), ("credit", 700)]
        assert [entry.created_by for entry in Entry.objects.order_by("id")[2:]] == ["staff:bo"] * 2
        assert (rows(account), balance(account_id=account.id)) == ([("PAID", 700, 1299)], 0)
        failed.refresh_from_db()
        assert (failed.status, failed.needs_review) == ("FAILED", False)
        with pytest.raises(UnableToResolve):
            booked_late(failed)
        assert left_to_refund(failed.payment) == 1299

    def test_is_refused_where_the_payment_was_refunded_again(self, failed: Refund) -> None:
        refunded(failed.payment, 1300)
        before = list(Refund.objects.order_by("id").values())
        with pytest.raises(NothingToRefund, match=r"6.99 USD is left"):
            booked_late(failed)
        assert (list(Refund.objects.order_by("id").values()), Entry.objects.count()) == (before, 4)

    @pytest.mark.parametrize(
        ("given", "refusal"),
        [({"reason": " "}, ReasonMissing), ({"reference": " "}, ReferenceMissing)],
    )
    def test_is_refused_without_what_it_needs(
        self, failed: Refund, given: dict[str, str], refusal: type[OperationError]
    ) -> None:
        before = list(Refund.objects.values())
        with pytest.raises(refusal):
            booked_late(failed, **given)
        assert (list(Refund.objects.values()), Entry.objects.count()) == (before, 2)

    def test_is_refused_with_another_refunds_reference(self, failed: Refund) -> None:
        other = refunded(paid(), 700)
        with pytest.raises(ReferenceMissing):
            booked_late(failed, reference=other.gateway_reference)
        assert Refund.objects.count() == 2

    def test_is_refused_for_one_that_was_not_sent(self) -> None:
        refund = requested(paid(), 700)
        with pytest.raises(UnableToResolve, match="SUBMITTED"):
            booked_late(refund)
        assert sent(refund, gateway=ScriptedGateway(refunds=[Declined(code="charge_disputed")])) == []
        with pytest.raises(UnableToResolve, match="FAILED"):
            booked_late(refund)
        with pytest.raises(UnknownRefund):
            booked_late(Refund(id="01a204fe-8f8e-7d54-b1d1-b76a2a8e1c59"))
        assert Entry.objects.count() == 2
