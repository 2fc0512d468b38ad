"""Money that was taken back: a payment's invoice is OPEN again, and a refund that came back is credit."""

import datetime
import uuid
from typing import Any

import pytest

from accounts.errors import OperationError
from accounts.reasons import InvalidReason
from invoices.credits import grant_credit
from invoices.write_offs import write_off_invoice
from ledger.balances import balance, book_totals
from ledger.models import Book, Entry
from payments.gateways.port import Declined, Unknown
from payments.locked_attempts import UnknownPayment, UnknownRefund
from payments.models import Payment, Refund
from payments.refund_requests import refundable
from payments.reversed_money import (
    NotYetReversible,
    UnableToRecordReversal,
    record_reversed_payment,
    record_reversed_refund,
)
from rebilling.books import discrepancies
from tests.builders import NOW, TODAY, ScriptedGateway, billed
from tests.support.databases import rolled_back
from tests.support.owing import FEB_1, invoices_of, owing, received, rows, state_of
from tests.support.refunds import entries_of, paid, refunded, requested, sent
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

SIGNED: dict[str, Any] = {"author": "staff:bo", "today": TODAY, "now": NOW}


def taken_back(payment: Payment, reason: str = "disputed") -> Entry:
    return record_reversed_payment(payment_id=payment.id, reason=reason, **SIGNED)


def came_back(refund: Refund, reason: str = "account closed") -> Entry:
    return record_reversed_refund(refund_id=refund.id, reason=reason, **SIGNED)


def refused(refusal: type[OperationError], act: Any, *given: Any) -> str:
    with nothing_moves(), pytest.raises(refusal) as caught:
        act(*given)
    return caught.value.detail


class TestReversedPayment:
    def test_makes_its_invoice_open_again(self) -> None:
        payment = paid()
        entry = taken_back(payment, " disputed ")
        assert (entry.type, entry.debit, entry.credit) == ("payment_reversed", "receivable", "cash")
        assert (entry.amount_minor, entry.payment_id, entry.invoice_id) == (1999, payment.id, payment.invoice_id)
        assert (entry.description, entry.created_by, entry.effective_on) == ("disputed", "staff:bo", TODAY)
        assert rows(payment.account) == [("OPEN", 0, 0)]
        assert state_of(payment.account) == ("ACTIVE", 1999, 0)
        payment.refresh_from_db()
        assert payment.status == "SUCCEEDED"
        assert book_totals()["USD"] == dict.fromkeys(Book.values, 0) | {"revenue": -1999, "receivable": 1999}

    def test_is_not_collected_again_until_a_person_asks_for_it(self) -> None:
        payment = paid()
        taken_back(payment)
        gateway = ScriptedGateway()
        for number in range(1, 9):
            billed(as_of=TODAY + datetime.timedelta(days=number), gateway=gateway)
        assert gateway.requests == []

    def test_that_was_credit_takes_the_credit_back(self) -> None:
        account = owing()
        payment = received(account, 2500, invoice_id=invoices_of(account)[0].id)
        assert state_of(account) == ("ACTIVE", 0, 501)
        taken_back(payment)
        assert rows(account) == [("OPEN", 0, 0)]
        assert state_of(account) == ("ACTIVE", 1999, 0)

    def test_for_no_invoice_leaves_a_debt_to_be_brought_forward(self) -> None:
        account = owing()
        payment = received(account, 1999)
        taken_back(payment)
        assert rows(account) == [("PAID", 1999, 0)]
        assert state_of(account) == ("ACTIVE", 0, -1999)
        gateway = ScriptedGateway()
        billed(as_of=FEB_1, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [3998]

    def test_is_paid_from_credit_at_once(self) -> None:
        payment = paid()
        grant_credit(account_id=payment.account_id, amount_minor=2500, reason="r", **SIGNED)
        taken_back(payment)
        assert rows(payment.account) == [("PAID", 1999, 0)]
        assert state_of(payment.account) == ("ACTIVE", 0, 501)

    def test_of_a_part_leaves_a_declined_invoice_to_its_schedule(self) -> None:
        account = owing()
        payment = received(account, 1000, invoice_id=invoices_of(account)[0].id)
        taken_back(payment)
        assert invoices_of(account)[0].declined_on == TODAY
        assert state_of(account) == ("PAST_DUE", 1999, 0)
        assert account.dunning_on == TODAY + datetime.timedelta(days=1)

    def test_that_was_recovered_makes_that_part_owed_again(self) -> None:
        account = owing()
        (invoice,) = invoices_of(account)
        write_off_invoice(invoice_id=invoice.id, reason="r", **SIGNED)
        taken_back(received(account, 1000, invoice_id=invoice.id))
        (invoice,) = invoices_of(account)
        assert (invoice.status, invoice.paid_minor, invoice.written_off_minor) == ("OPEN", 0, 999)
        assert state_of(account)[1:] == (1000, 0)

    def test_is_refused_a_second_time(self) -> None:
        payment = paid()
        taken_back(payment)
        assert "already recorded" in refused(UnableToRecordReversal, taken_back, payment)

    @pytest.mark.parametrize("answer", [Declined(code="card_declined"), Unknown(reason="?")])
    def test_is_refused_where_no_money_came(self, answer: Any) -> None:
        payment = owing(answer).payments.get()
        assert "no money of it came" in refused(UnableToRecordReversal, taken_back, payment)

    def test_of_what_was_refunded_in_part_takes_back_what_is_left(self) -> None:
        payment = paid()
        refunded(payment, 100)
        assert taken_back(payment).amount_minor == 1899
        (invoice,) = invoices_of(payment.account)
        assert (invoice.status, invoice.paid_minor, invoice.refunded_minor) == ("OPEN", 100, 100)
        assert state_of(payment.account) == ("ACTIVE", 1899, 0)
        assert book_totals()["USD"]["cash"] == 0
        assert discrepancies() == []
        assert refundable(payment) == {"payment": 0, "balance": 0}

    @pytest.mark.parametrize(("goodwill", "payout"), [(0, 501), (0, 500), (1000, 501), (1000, 700), (1000, 1501)])
    def test_of_what_was_paid_out_from_the_balance_takes_that_much_less(self, goodwill: int, payout: int) -> None:
        account = owing()
        payment = received(account, 2500, invoice_id=invoices_of(account)[0].id)
        if goodwill:
            grant_credit(account_id=account.id, amount_minor=goodwill, reason="r", **SIGNED)
        requested(payment, payout, source="balance")
        assert taken_back(payment).amount_minor == 2500 - payout
        assert balance(account_id=account.id) == 1999 - goodwill
        state_of(account)
        assert discrepancies() == []

    def test_is_refused_while_a_refund_is_in_flight(self) -> None:
        payment = paid()
        requested(payment, 1)
        assert "is in flight" in refused(NotYetReversible, taken_back, payment)

    def test_is_refused_where_all_of_it_was_refunded(self) -> None:
        payment = paid()
        refunded(payment)
        assert "All of this payment was refunded" in refused(UnableToRecordReversal, taken_back, payment)

    def test_is_recorded_where_its_only_refund_failed(self) -> None:
        payment = paid()
        sent(requested(payment), gateway=ScriptedGateway(refunds=[Declined(code="charge_disputed")]))
        taken_back(payment)
        assert state_of(payment.account) == ("ACTIVE", 1999, 0)

    def test_is_refused_without_a_reason_or_a_payment(self) -> None:
        payment = paid()
        refused(InvalidReason, taken_back, payment, " ")
        refused(UnknownPayment, taken_back, Payment(id=uuid.uuid4()))


class TestReversedRefund:
    def test_is_the_accounts_credit(self) -> None:
        refund = refunded(paid(), 700)
        account = refund.payment.account
        entry = came_back(refund, " account closed ")
        assert (entry.type, entry.debit, entry.credit) == ("refund_reversed", "cash", "receivable")
        assert (entry.amount_minor, entry.refund_id, entry.invoice_id) == (700, refund.id, None)
        assert (entry.description, entry.created_by) == ("account closed", "staff:bo")
        assert state_of(account) == ("ACTIVE", 0, 700)
        assert entries_of(account)[2:] == [("refund", 700), ("credit_note", 700), ("refund_reversed", 700)]
        gateway = ScriptedGateway()
        billed(as_of=FEB_1, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [1299]

    def test_pays_what_is_open_at_once(self) -> None:
        refund = refunded(paid(), 1999)
        account = refund.payment.account
        billed(as_of=FEB_1, gateway=ScriptedGateway(Declined(code="card_declined")))
        came_back(refund)
        assert rows(account)[1] == ("PAID", 1999, 0)
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_is_refused_a_second_time(self) -> None:
        refund = refunded(paid(), 700)
        came_back(refund)
        assert "already recorded" in refused(UnableToRecordReversal, came_back, refund)

    def test_is_refused_where_no_money_was_sent(self) -> None:
        refund = requested(paid(), 700)
        assert "no money of it was sent" in refused(UnableToRecordReversal, came_back, refund)

    def test_is_refused_without_a_reason_or_a_refund(self) -> None:
        refund = refunded(paid(), 700)
        refused(InvalidReason, came_back, refund, " ")
        refused(UnknownRefund, came_back, Refund(id=uuid.uuid4()))
