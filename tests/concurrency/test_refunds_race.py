"""Refunds race each other, credit notes of their invoice, deliveries, and people who resolve them."""

import uuid
from functools import partial
from typing import Any

import pytest

from accounts.models import Account
from invoices.credit_note_shares import RefundInFlight
from invoices.credit_notes import issue_credit_note
from invoices.credits import grant_credit
from invoices.models import CreditNote, Invoice
from ledger.models import Entry
from payments.gateways.port import Succeeded, Unknown
from payments.models import Payment, Refund
from payments.outcome_bisection import Recorded
from payments.refund_outcomes import record_refund_outcomes
from payments.refund_requests import AlreadyRefunded, NothingToRefund
from payments.reversed_money import UnableToRecordReversal, record_reversed_payment
from payments.reviews import UnableToResolve, resolve_refund
from tests.builders import NOW, TODAY, ScriptedGateway
from tests.concurrency.test_money_is_moved_twice_at_once import one_after_the_other, outcome_of
from tests.support.databases import committed
from tests.support.owing import rows, state_of
from tests.support.refunds import entries_of, paid, requested, sent
from tests.support.workers.threads import all_meet_before, threads

NEEDS_REVIEW = Unknown(reason="the gateway moved 5 USD", needs_review=True)
SIGNED: dict[str, Any] = {"reason": "r", "author": "bo", "today": TODAY, "now": NOW}

pytestmark = committed


def booked(refund: Refund) -> Recorded[Refund]:
    answer = Succeeded(
        reference=f"re-{refund.id}", key=refund.id, amount_minor=refund.amount_minor, currency=refund.currency
    )
    return record_refund_outcomes(outcomes={refund.id: answer}, today=TODAY, now=NOW)


def credited(payment: Payment, amount_minor: int | None = None) -> CreditNote:
    assert payment.invoice_id
    return issue_credit_note(invoice_id=payment.invoice_id, amount_minor=amount_minor, **SIGNED)


def resolved(refund: Refund, *, said_sent: bool = True) -> Refund:
    return resolve_refund(refund_id=refund.id, sent=said_sent, reference="re_1", **SIGNED)


def refunds_of(account: Account) -> tuple[int, int, int]:
    """Of the account's invoice: sent back, reserved for refunds, and credited by them."""
    invoice = Invoice.objects.get(account=account)
    return invoice.refunded_minor, invoice.refunding_minor, invoice.credited_to_refund_minor


class TestTwoRefunds:
    @pytest.mark.parametrize(("first", "second"), [(1999, 1), (1000, 1000), (1999, 1999)])
    def test_that_together_exceed_the_payment_are_one(self, first: int, second: int) -> None:
        payment = paid()
        taken, refused = one_after_the_other(partial(requested, payment, first), partial(requested, payment, second))
        assert taken.amount_minor == first
        assert isinstance(refused, NothingToRefund)
        assert list(Refund.objects.values_list("amount_minor", flat=True)) == [first]
        assert refunds_of(payment.account) == (0, first, 0)

    def test_at_the_same_time_exactly_one_is_taken(self) -> None:
        payment = paid()
        with all_meet_before("payments.refund_requests.lock_payment", parties=4), threads() as start:
            racing = [start(partial(outcome_of, partial(requested, payment, 1000))) for _ in range(4)]
        ended = [future.result() for future in racing]
        assert sum(isinstance(end, Refund) for end in ended) == 1
        assert sum(isinstance(end, NothingToRefund) for end in ended) == 3
        assert refunds_of(payment.account) == (0, 1000, 0)

    def test_that_fit_are_both_taken_and_booked(self) -> None:
        payment = paid()
        first, second = one_after_the_other(partial(requested, payment, 1000), partial(requested, payment, 999))
        assert refunds_of(payment.account) == (0, 1999, 0)
        one_after_the_other(partial(booked, first), partial(booked, second))
        assert refunds_of(payment.account) == (1999, 0, 1999)
        assert entries_of(payment.account)[2:] == [
            ("refund", 1000),
            ("credit_note", 1000),
            ("refund", 999),
            ("credit_note", 999),
        ]
        assert (rows(payment.account), state_of(payment.account)) == ([("PAID", 0, 1999)], ("ACTIVE", 0, 0))

    def test_under_one_id_are_one(self) -> None:
        payment = paid()
        request = partial(requested, payment, 500, refund_id=uuid.uuid4())
        _, refused = one_after_the_other(request, request)
        assert isinstance(refused, AlreadyRefunded)
        assert Refund.objects.count() == 1

    def test_of_the_credit_balance_never_exceed_it(self) -> None:
        payment = paid()
        grant_credit(account_id=payment.account_id, amount_minor=700, **SIGNED)
        request = partial(requested, payment, 400, source="balance")
        _, refused = one_after_the_other(request, request)
        assert isinstance(refused, NothingToRefund)
        assert state_of(payment.account) == ("ACTIVE", 0, 300)


class TestARefundAndACreditNote:
    def test_that_comes_second_is_left_the_remainder(self) -> None:
        payment = paid()
        _, refused = one_after_the_other(partial(requested, payment, 1500), partial(credited, payment, 1000))
        assert isinstance(refused, RefundInFlight)
        credited(payment, 499)
        assert (refunds_of(payment.account), state_of(payment.account)) == ((0, 1500, 0), ("ACTIVE", 0, 499))

    def test_that_comes_first_leaves_it_the_remainder(self) -> None:
        payment = paid()
        _, refused = one_after_the_other(partial(credited, payment, 500), partial(requested, payment, 1999))
        assert isinstance(refused, NothingToRefund)
        assert requested(payment, 1499).amount_minor == 1499

    def test_at_the_same_time_one_of_them_is_taken(self) -> None:
        payment = paid()
        with all_meet_before("accounts.locked_accounts.lock_accounts", parties=2), threads() as start:
            racing = [
                start(partial(outcome_of, partial(operation, payment, 1500))) for operation in (requested, credited)
            ]
        refused = [end.result() for end in racing if not isinstance(end.result(), Refund | CreditNote)]
        assert len(refused) == 1
        assert (Refund.objects.count(), CreditNote.objects.count()) in {(1, 0), (0, 1)}


class TestARefundAndItsPaymentTakenBack:
    @pytest.mark.parametrize("first", ["refund", "reversal"])
    def test_send_the_money_back_once(self, first: str) -> None:
        payment = paid()
        refund = partial(requested, payment, 1999)
        reversal = partial(record_reversed_payment, payment_id=payment.id, **SIGNED)
        if first == "refund":
            _, refused = one_after_the_other(refund, reversal)
            assert isinstance(refused, UnableToRecordReversal)
            assert (rows(payment.account), Refund.objects.count()) == ([("PAID", 0, 1999)], 1)
        else:
            _, refused = one_after_the_other(reversal, refund)
            assert isinstance(refused, NothingToRefund)
            assert (rows(payment.account), Refund.objects.count()) == ([("OPEN", 0, 0)], 0)


class TestOneRefund:
    def test_delivered_twice_at_once_is_sent_once(self) -> None:
        refund = requested(paid())
        gateway = ScriptedGateway()
        with all_meet_before("rebilling.worker.take_lease", parties=2), threads() as start:
            deliveries: list[Any] = [start(partial(sent, refund, gateway=gateway)) for _ in range(2)]
        assert sorted(future.result() for future in deliveries) in ([[], ["0"]], [[], []])
        assert len(gateway.refund_requests) == 1
        assert entries_of(refund.account)[2:] == [("refund", 1999), ("credit_note", 1999)]

    def test_recorded_twice_at_once_is_booked_once(self) -> None:
        refund = requested(paid())
        first, second = one_after_the_other(partial(booked, refund), partial(booked, refund))
        assert ([row.status for row, _ in first.rows], second.rows) == (["SUCCEEDED"], [])
        assert entries_of(refund.account)[2:] == [("refund", 1999), ("credit_note", 1999)]
        assert refunds_of(refund.account) == (1999, 0, 1999)

    @pytest.mark.parametrize("said_sent", [True, False])
    def test_resolved_by_two_people_at_once_goes_by_the_first(self, said_sent: bool) -> None:
        refund = requested(paid())
        sent(refund, gateway=ScriptedGateway(refunds=[NEEDS_REVIEW]))
        first, second = one_after_the_other(
            partial(resolved, refund, said_sent=said_sent), partial(resolved, refund, said_sent=not said_sent)
        )
        assert first.status == ("SUCCEEDED" if said_sent else "FAILED")
        assert isinstance(second, UnableToResolve)
        assert Entry.objects.filter(type="refund").count() == CreditNote.objects.count() == int(said_sent)
        assert refunds_of(refund.account)[1] == 0
