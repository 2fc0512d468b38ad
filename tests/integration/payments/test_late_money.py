"""Money that was moved although its payment was DECLINED or its refund FAILED: a person books it."""

import uuid
from typing import Any

import pytest

from accounts.errors import OperationError
from accounts.reasons import InvalidReason
from invoices.credit_notes import issue_credit_note
from invoices.credits import grant_credit, reverse_entry
from invoices.models import CreditNote
from ledger.models import Entry
from payments.gateways.port import Declined, Succeeded, Unknown
from payments.late_money import book_late_payment, book_late_refund
from payments.locked_attempts import UnknownPayment, UnknownRefund
from payments.models import Payment, Refund
from payments.payment_outcomes import record_payment_outcomes
from payments.refund_outcomes import record_refund_outcomes
from payments.refund_requests import NothingToRefund, refundable
from payments.reviews import ReferenceMissing, UnableToResolve, resolve_payment
from rebilling.books import discrepancies
from tests.builders import NOW, TODAY, ScriptedGateway, an_account, billed
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED, FEB_1, invoices_of, owing, rows, state_of
from tests.support.payments import collected, recorded
from tests.support.refunds import entries_of, paid, refunded, requested, sent
from tests.support.unchanged import nothing_moves

DISPUTED = Declined(code="charge_disputed")
WITHOUT = [
    ({"reason": " "}, InvalidReason),
    ({"reference": " "}, ReferenceMissing),
    ({"reference": "x" * 201}, ReferenceMissing),
    ({"reference": "pi\0"}, ReferenceMissing),
]
SIGNED: dict[str, Any] = {"author": "staff:bo", "today": TODAY, "now": NOW}

pytestmark = rolled_back


def booked_late(payment: Payment, **given: Any) -> Payment:
    said: dict[str, Any] = {"reference": "pi_9", "reason": "seen at the gateway"}
    return book_late_payment(payment_id=payment.id, **SIGNED, **said | given)


def refused(refusal: type[OperationError], payment: Payment, **given: Any) -> OperationError:
    with nothing_moves(), pytest.raises(refusal) as caught:
        booked_late(payment, **given)
    return caught.value


class TestBookLatePayment:
    """The gateway took the money although the payment is DECLINED."""

    @pytest.fixture
    def declined(self) -> Payment:
        """A person found that no money was taken; the invoice's second payment waits to be sent."""
        payment = owing(Unknown(reason="the gateway moved 500 USD", needs_review=True)).payments.get()
        return resolve_payment(payment_id=payment.id, taken=False, reference="", reason="not there", **SIGNED)

    def test_is_credit_once_the_invoice_was_paid_again_and_can_be_refunded(self, declined: Payment) -> None:
        account = declined.account
        collected(account.payments.get(status="SUBMITTED").id)
        late = booked_late(declined, reference=" pi_9 ")
        assert (late.status, late.amount_minor, late.excess_minor) == ("SUCCEEDED", 1999, 1999)
        assert (late.gateway, late.gateway_reference, late.created_by) == (declined.gateway, "pi_9", "staff:bo")
        assert rows(account) == [("PAID", 0, 1999)]
        assert state_of(account) == ("ACTIVE", 0, 1999)
        declined.refresh_from_db()
        assert (declined.status, declined.decline_code) == ("DECLINED", "resolved_by_person")
        assert refundable(late) == {"payment": 0, "balance": 1999}
        refunded(late, source="balance")
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert discrepancies() == []

    def test_pays_what_is_outstanding(self) -> None:
        account = owing(DECLINED)
        payment = account.payments.get()
        said = Succeeded(reference="pi_9", key=payment.id, amount_minor=1999, currency="USD")
        record_payment_outcomes(outcomes={payment.id: said}, today=TODAY, now=NOW)
        payment.refresh_from_db()
        assert (payment.status, payment.needs_review) == ("DECLINED", True)
        late = booked_late(payment)
        assert (late.invoice_id, late.excess_minor) == (payment.invoice_id, 0)
        assert rows(account) == [("PAID", 0, 1999)]
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert entries_of(account) == [("charge", 1999), ("payment", 1999)]
        payment.refresh_from_db()
        assert (payment.status, payment.needs_review) == ("DECLINED", False)
        assert discrepancies() == []
        refused(UnableToResolve, payment)

    def test_is_booked_once_whatever_the_reference(self, declined: Payment) -> None:
        late = booked_late(declined, reference="pi_9")
        assert late.late_for == declined
        refused(UnableToResolve, declined, reference="ch_9")

    def test_that_the_gateway_answers_for_once_more_leaves_nothing_to_review(self, declined: Payment) -> None:
        booked_late(declined, reference="pi_9")
        again = Succeeded(reference="pi_9", key=declined.id, amount_minor=1999, currency="USD")
        with nothing_moves():
            record_payment_outcomes(outcomes={declined.id: again}, today=TODAY, now=NOW)

    def test_asks_for_no_more_than_was_once_asked_for(self) -> None:
        """A debt that was brought forward was a part of it; credit has taken its place since."""
        account = an_account()
        spent = grant_credit(account_id=account.id, amount_minor=1999, reason="r", **SIGNED)
        billed(as_of=TODAY)
        reverse_entry(entry_id=spent.id, reason="r", **SIGNED)
        billed(as_of=FEB_1, gateway=ScriptedGateway(Unknown(reason="?", needs_review=True)))
        payment = account.payments.get()
        assert payment.amount_minor == 3998
        resolve_payment(payment_id=payment.id, taken=False, reference="", reason="not there", **SIGNED)
        recorded(DECLINED, account.payments.get(status="SUBMITTED"))
        grant_credit(account_id=account.id, amount_minor=2500, reason="r", **SIGNED)
        booked_late(payment)
        assert state_of(account) == ("ACTIVE", 0, 2500)
        assert discrepancies() == []

    @pytest.mark.parametrize(("given", "refusal"), WITHOUT)
    def test_is_refused_without_what_it_needs(
        self, declined: Payment, given: dict[str, str], refusal: type[OperationError]
    ) -> None:
        refused(refusal, declined, **given)

    def test_is_refused_with_another_payments_reference(self, declined: Payment) -> None:
        refused(ReferenceMissing, declined, reference=paid().gateway_reference)

    def test_is_refused_for_one_that_took_money_or_that_nothing_speaks_for(self) -> None:
        assert "SUCCEEDED" in refused(UnableToResolve, paid()).detail
        assert "DECLINED" in refused(UnableToResolve, owing(DECLINED).payments.get()).detail
        refused(UnknownPayment, Payment(id=uuid.uuid4()))


def refund_booked_late(refund: Refund, **given: Any) -> Refund:
    said: dict[str, Any] = {"reference": "re_9", "reason": "seen at the gateway", "author": "staff:bo"}
    return book_late_refund(refund_id=refund.id, today=TODAY, now=NOW, **said | given)


def refund_refused(refusal: type[OperationError], refund: Refund, **given: Any) -> OperationError:
    with nothing_moves(), pytest.raises(refusal) as caught:
        refund_booked_late(refund, **given)
    return caught.value


def failed_then_sent(refund: Refund) -> Refund:
    assert sent(refund, gateway=ScriptedGateway(refunds=[DISPUTED])) == []
    late = Succeeded(reference="re_9", key=refund.id, amount_minor=refund.amount_minor, currency="USD")
    assert record_refund_outcomes(outcomes={refund.id: late}, today=TODAY, now=NOW).rows == []
    refund.refresh_from_db()
    assert (refund.status, refund.needs_review) == ("FAILED", True)
    assert refund.review_reason == "the money was moved after all, as re_9, and is not in the ledger"
    return refund


class TestBookLateRefund:
    """The gateway sent the money although the refund is FAILED."""

    @pytest.fixture
    def failed(self) -> Refund:
        return failed_then_sent(requested(paid(), 700))

    def test_books_a_refund_of_its_own_under_the_persons_name(self, failed: Refund) -> None:
        late = refund_booked_late(failed, reference=" re_9 ")
        account = failed.payment.account
        assert (late.status, late.amount_minor, late.gateway_reference) == ("SUCCEEDED", 700, "re_9")
        assert (late.payment_id, late.reason, late.created_by) == (failed.payment_id, "seen at the gateway", "staff:bo")
        assert entries_of(account)[2:] == [("refund", 700), ("credit_note", 700)]
        assert [entry.created_by for entry in Entry.objects.order_by("id")[2:]] == ["staff:bo"] * 2
        assert state_of(account) == ("ACTIVE", 0, 0)
        (invoice,) = invoices_of(account)
        assert (invoice.refunded_minor, invoice.refunding_minor) == (700, 0)
        failed.refresh_from_db()
        assert (failed.status, failed.needs_review) == ("FAILED", False)
        refund_refused(UnableToResolve, failed)

    def test_that_the_gateway_answers_for_once_more_leaves_nothing_to_review(self, failed: Refund) -> None:
        refund_booked_late(failed, reference="re_9")
        again = Succeeded(reference="re_9", key=failed.id, amount_minor=700, currency="USD")
        with nothing_moves():
            record_refund_outcomes(outcomes={failed.id: again}, today=TODAY, now=NOW)

    def test_from_the_balance_takes_it_from_there(self) -> None:
        payment = paid()
        grant_credit(account_id=payment.account_id, amount_minor=900, reason="r", author="t", today=TODAY, now=NOW)
        refund_booked_late(failed_then_sent(requested(payment, 700, source="balance")))
        assert state_of(payment.account) == ("ACTIVE", 0, 200)
        assert (entries_of(payment.account)[-1], CreditNote.objects.count()) == (("refund", 700), 0)

    def test_takes_it_from_the_balance_where_the_invoice_was_credited_since(self, failed: Refund) -> None:
        """The credit note gave 19.99 to the balance; of that, 7.00 is at the customer's bank already."""
        invoice_id = failed.payment.invoice_id
        assert invoice_id
        issue_credit_note(invoice_id=invoice_id, reason="r", **SIGNED)
        late = refund_booked_late(failed)
        assert (late.source, late.late_for) == ("balance", failed)
        account = failed.payment.account
        assert state_of(account) == ("ACTIVE", 0, 1299)
        assert discrepancies() == []

    def test_leaves_a_debt_where_the_credit_was_used_since(self, failed: Refund) -> None:
        invoice_id = failed.payment.invoice_id
        assert invoice_id
        issue_credit_note(invoice_id=invoice_id, reason="r", **SIGNED)
        billed(as_of=FEB_1)
        refund_booked_late(failed)
        assert state_of(failed.payment.account) == ("ACTIVE", 0, -700)
        assert discrepancies() == []

    def test_is_refused_where_the_payment_was_refunded_again(self, failed: Refund) -> None:
        refunded(failed.payment, 1300)
        assert "6.99 USD is left" in refund_refused(NothingToRefund, failed).detail

    @pytest.mark.parametrize(("given", "refusal"), WITHOUT)
    def test_is_refused_without_what_it_needs(
        self, failed: Refund, given: dict[str, str], refusal: type[OperationError]
    ) -> None:
        refund_refused(refusal, failed, **given)

    def test_is_refused_with_another_refunds_reference(self, failed: Refund) -> None:
        other = refunded(paid(), 700)
        refund_refused(ReferenceMissing, failed, reference=other.gateway_reference)

    def test_is_refused_for_one_that_was_not_sent(self) -> None:
        refund = requested(paid(), 700)
        assert "SUBMITTED" in refund_refused(UnableToResolve, refund).detail
        assert sent(refund, gateway=ScriptedGateway(refunds=[DISPUTED])) == []
        assert "FAILED" in refund_refused(UnableToResolve, refund).detail
        refund_refused(UnknownRefund, Refund(id=uuid.uuid4()))
