"""Refunds' outcomes: what each means for the refund, the ledger, the invoice and the balance."""

import dataclasses
import datetime
import logging
from typing import Any

import pytest
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext

from invoices.credit_notes import issue_credit_note
from invoices.credits import grant_credit
from invoices.models import CreditNote
from invoices.write_offs import write_off_invoice
from ledger.balances import book_totals
from ledger.models import Book, Entry
from payments import refund_outcomes
from payments.gateways.port import Declined, Succeeded, Unknown
from payments.models import Payment, Refund
from payments.outcomes import OUR_FAULT
from payments.refund_outcomes import record_refund_outcomes
from rebilling.books import discrepancies
from tests.builders import NOW, TODAY, ScriptedGateway, a_plan, an_account, at, billed, sends_back, statuses_of
from tests.support.databases import committed, rolled_back
from tests.support.owing import DECLINED, FEB_1, invoices_of, owing, received, rows, state_of
from tests.support.refunds import entries_of, paid, refunded, requested, sent

LARGEST = 99_999_999
DISPUTED = Declined(code="charge_disputed")
SIGNED: dict[str, Any] = {"reason": "r", "author": "bo", "today": FEB_1, "now": at(FEB_1)}


def left_of(payment: Payment) -> tuple[int, int, int]:
    """Of its invoice: what was refunded, what is reserved, and what may still be refunded by its amounts."""
    invoice = invoices_of(payment.account)[0]
    return invoice.refunded_minor, invoice.refunding_minor, invoice.paid_minor - invoice.refunded_minor


@rolled_back
class TestOneReference:
    @pytest.mark.parametrize("together", [True, False])
    def test_for_two_refunds_is_booked_once(self, together: bool) -> None:
        refunds = [requested(paid(), 700) for _ in range(3)]
        references = ["re_1", "re_2", "re_1"]
        outcomes = {
            refund.id: Succeeded(reference=reference, key=refund.id, amount_minor=700, currency="USD")
            for refund, reference in zip(refunds, references, strict=True)
        }
        for part in [outcomes] if together else [{id_: outcome} for id_, outcome in outcomes.items()]:
            record_refund_outcomes(outcomes=part, today=TODAY, now=NOW)
        for refund in refunds:
            refund.refresh_from_db()
        assert [refund.status for refund in refunds] == ["SUCCEEDED", "SUCCEEDED", "UNKNOWN"]
        assert refunds[2].review_reason == f"the gateway named re_1, which is refund {refunds[0].id}"
        assert Entry.objects.filter(type="refund").count() == 2
        assert discrepancies() == []


@rolled_back
class TestASucceededRefund:
    def test_is_booked_with_a_credit_note_for_the_same_amount(self) -> None:
        payment, gateway = paid(), ScriptedGateway()
        refund = requested(payment, 700)
        assert sent(refund, gateway=gateway, today=FEB_1) == []
        (request,) = gateway.refund_requests
        assert (request.key, request.payment_id) == (refund.id, payment.id)
        assert (request.payment_reference, request.reference) == (payment.gateway_reference, "")
        assert (request.amount_minor, request.currency, request.reason) == (700, "USD", "unhappy")
        assert request.submitted_at == NOW
        refund.refresh_from_db()
        assert (refund.status, refund.gateway_reference) == ("SUCCEEDED", f"sent-{refund.id}")
        assert (refund.first_called_at, refund.leased_until, refund.completed_at) == (at(FEB_1), None, at(FEB_1))
        note = CreditNote.objects.get()
        assert (note.amount_minor, note.to_refund_minor, note.refund_id) == (700, 700, refund.id)
        assert (note.number, note.reason, note.created_by) == (
            f"{payment.account.number_prefix}-CN-0001",
            "unhappy",
            "staff:anna",
        )
        sent_back, credit = Entry.objects.filter(account=payment.account).order_by("id")[2:]
        assert (sent_back.type, sent_back.debit, sent_back.credit) == ("refund", "receivable", "cash")
        assert (sent_back.amount_minor, sent_back.refund_id, sent_back.payment_id) == (700, refund.id, None)
        assert (sent_back.idempotency_key, sent_back.description) == (f"refund:{refund.id}", "unhappy")
        assert (credit.type, credit.debit, credit.credit) == ("credit_note", "revenue", "receivable")
        assert (credit.amount_minor, credit.refund_id) == (700, None)
        for entry in (sent_back, credit):
            assert (entry.created_by, entry.effective_on) == ("staff:anna", FEB_1)
            assert entry.invoice_id == payment.invoice_id

    def test_leaves_the_invoice_paid_and_the_account_owing_nothing(self) -> None:
        """Charge 19.99 paid, refunded in full: revenue 0, cash 0, no credit."""
        payment = paid()
        refunded(payment)
        payment.refresh_from_db()
        (invoice,) = invoices_of(payment.account)
        assert payment.refunded_minor == 1999
        assert (invoice.status, invoice.paid_minor, invoice.refunded_minor) == ("PAID", 1999, 1999)
        assert (invoice.credited_minor, invoice.credited_to_refund_minor, invoice.refunding_minor) == (0, 1999, 0)
        assert state_of(payment.account) == ("ACTIVE", 0, 0)
        assert statuses_of(payment.account) == [(TODAY, "VOIDED")]
        assert book_totals()["USD"] == dict.fromkeys(Book.values, 0)

    def test_of_a_part_leaves_its_period_charged(self) -> None:
        payment = paid()
        refunded(payment, 1998)
        assert statuses_of(payment.account) == [(TODAY, "CHARGED")]
        refunded(payment, 1)
        assert statuses_of(payment.account) == [(TODAY, "VOIDED")]

    def test_in_parts_of_one_message_counts_each(self) -> None:
        payment = paid()
        first, second = requested(payment, 400), requested(payment, 1599)
        assert sent(first, second) == []
        assert entries_of(payment.account)[2:] == [
            ("refund", 400), ("refund", 1599), ("credit_note", 400), ("credit_note", 1599),
        ]  # fmt: skip
        assert left_of(payment) == (1999, 0, 0)
        assert state_of(payment.account) == ("ACTIVE", 0, 0)

    def test_takes_nothing_of_the_credit_balance(self) -> None:
        payment = paid()
        grant_credit(account_id=payment.account_id, amount_minor=5000, **SIGNED)
        refunded(payment)
        assert state_of(payment.account) == ("ACTIVE", 0, 5000)

    def test_leaves_other_invoices_as_they_are(self) -> None:
        payment = paid()
        billed(as_of=FEB_1, gateway=ScriptedGateway(DECLINED))
        refunded(payment)
        assert rows(payment.account) == [("PAID", 0, 1999), ("OPEN", 0, 0)]
        assert state_of(payment.account) == ("PAST_DUE", 1999, 0)

    def test_of_an_open_invoices_first_part_leaves_the_rest_owed(self) -> None:
        account = owing()
        payment = received(account, 1000, invoice_id=invoices_of(account)[0].id)
        requested(payment, 400)
        assert rows(account) == [("OPEN", 0, 1000)]
        assert state_of(account) == ("PAST_DUE", 999, 0)

    def test_of_a_written_off_invoices_part_leaves_the_rest_written_off(self) -> None:
        account = owing()
        (invoice,) = invoices_of(account)
        payment = received(account, 1499, invoice_id=invoice.id)
        write_off_invoice(invoice_id=invoice.id, **SIGNED)
        requested(payment, 1499)
        (invoice,) = invoices_of(account)
        assert (invoice.status, invoice.written_off_minor, invoice.refunded_minor) == ("UNCOLLECTIBLE", 500, 1499)
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert book_totals()["USD"] == dict.fromkeys(Book.values, 0) | {"revenue": -500, "bad_debt": 500}

    def test_is_spread_over_the_lines_of_its_invoice(self) -> None:
        account = an_account()
        billed(as_of=FEB_1)
        refunded(account.payments.get(), 1001)
        credited = invoices_of(account)[0].lines.order_by("position").values_list("credited_minor", flat=True)
        assert list(credited) == [501, 500]

    def test_of_the_largest_amount_is_exact(self) -> None:
        payment = paid(plan=a_plan(unit_amount_minor=LARGEST))
        refunded(payment, LARGEST)
        assert state_of(payment.account) == ("ACTIVE", 0, 0)
        assert book_totals()["USD"] == dict.fromkeys(Book.values, 0)

    def test_delivered_again_is_booked_once(self) -> None:
        payment, gateway = paid(), ScriptedGateway()
        refund = requested(payment)
        for _ in range(3):
            assert sent(refund, gateway=gateway) == []
        assert len(gateway.refund_requests) == 1
        assert entries_of(payment.account)[2:] == [("refund", 1999), ("credit_note", 1999)]

    def test_from_the_balance_is_booked_without_a_credit_note(self) -> None:
        payment = paid()
        grant_credit(account_id=payment.account_id, amount_minor=800, **SIGNED)
        refunded(payment, 500, source="balance")
        assert entries_of(payment.account)[2:] == [("credit", 800), ("refund", 500)]
        assert Entry.objects.get(type="refund").invoice_id is None
        payment.refresh_from_db()
        assert (payment.refunded_minor, CreditNote.objects.count()) == (500, 0)
        assert left_of(payment) == (0, 0, 1999)
        assert state_of(payment.account) == ("ACTIVE", 0, 300)

    def test_of_nothing_records_nothing(self) -> None:
        found = record_refund_outcomes(outcomes={}, today=TODAY, now=NOW)
        assert (found.rows, found.submitted) == ([], [])


@rolled_back
class TestAFailedRefund:
    def test_frees_its_reservation_and_moves_nothing(self) -> None:
        payment = paid()
        refund = requested(payment)
        assert sent(refund, gateway=ScriptedGateway(refunds=[DISPUTED])) == []
        refund.refresh_from_db()
        assert (refund.status, refund.failure_code, refund.completed_at) == ("FAILED", "charge_disputed", NOW)
        assert entries_of(payment.account) == [("charge", 1999), ("payment", 1999)]
        assert (left_of(payment), CreditNote.objects.count()) == ((0, 0, 1999), 0)
        refunded(payment)
        assert left_of(payment) == (1999, 0, 0)

    def test_from_the_balance_gives_the_credit_back_which_pays_what_is_open(self) -> None:
        payment = paid()
        grant_credit(account_id=payment.account_id, amount_minor=1999, **SIGNED)
        refund = requested(payment, 1999, source="balance", now=at(FEB_1))
        billed(as_of=FEB_1, gateway=ScriptedGateway(DECLINED, refunds=[Unknown(reason="?")]))
        assert state_of(payment.account) == ("PAST_DUE", 1999, 0)
        assert sent(refund, gateway=ScriptedGateway(refunds=[DISPUTED])) == []
        assert rows(payment.account) == [("PAID", 0, 1999), ("PAID", 1999, 0)]
        assert state_of(payment.account) == ("ACTIVE", 0, 0)

    @pytest.mark.parametrize("code", ["invalid_request", "never_received"])
    def test_by_our_own_fault_needs_review(self, code: str) -> None:
        refund = requested(paid())
        assert sent(refund, gateway=ScriptedGateway(refunds=[Declined(code=code)])) == []
        refund.refresh_from_db()
        assert (refund.status, refund.needs_review) == ("FAILED", True)
        assert refund.review_reason == OUR_FAULT[code]

    def test_that_nothing_had_reserved_was_never_sent_and_alarms(self, caplog: pytest.LogCaptureFixture) -> None:
        """Planted past every operation, on a payment of which so much would be left."""
        payment, gateway = paid(), ScriptedGateway()
        forged = planted(payment, amount_minor=1999)
        assert sent(forged, gateway=gateway) == []
        forged.refresh_from_db()
        assert gateway.refund_requests == []
        assert (forged.status, forged.failure_code) == ("FAILED", "not_reserved")
        assert (forged.needs_review, forged.review_reason) == (True, OUR_FAULT["not_reserved"])
        assert entries_of(payment.account) == [("charge", 1999), ("payment", 1999)]
        assert left_of(payment) == (0, 0, 1999)
        assert "a refund needs review" in [record.message for record in caplog.records]


def planted(payment: Payment, **fields: Any) -> Refund:
    """A refund that no operation wrote, and nothing has reserved."""
    given: dict[str, Any] = {"source": "payment", "amount_minor": 500, "currency": "USD", "status": "SUBMITTED"}
    given |= {"reason": "r", "gateway": "logging", "submitted_at": NOW, "created_by": "nobody"}
    return Refund.objects.create(account=payment.account, payment=payment, **(given | fields))


@rolled_back
class TestARefundThatNothingReserved:
    @pytest.mark.parametrize("source", ["payment", "balance"])
    def test_does_not_take_what_others_reserved(self, source: str) -> None:
        payment, gateway = paid(), ScriptedGateway()
        grant_credit(account_id=payment.account_id, amount_minor=700, **SIGNED)
        honest, forged = requested(payment, 700, source=source), planted(payment, source=source)
        assert sent(forged, honest, gateway=gateway) == []
        assert [request.refund_id for request in gateway.refund_requests] == [honest.id]
        forged.refresh_from_db()
        assert (forged.status, forged.failure_code, forged.needs_review) == ("FAILED", "not_reserved", True)
        assert left_of(payment)[:2] == ((700, 0) if source == "payment" else (0, 0))
        assert state_of(payment.account) == ("ACTIVE", 0, 700 if source == "payment" else 0)

    @pytest.mark.parametrize("source", ["payment", "balance"])
    def test_is_only_looked_up_if_the_gateway_was_called_for_it(self, source: str) -> None:
        payment, gateway = paid(), ScriptedGateway()
        forged = planted(payment, source=source, first_called_at=NOW)
        assert sent(forged, gateway=gateway) == []
        assert sent(forged, gateway=gateway, now=NOW + datetime.timedelta(days=2)) == []
        assert (gateway.refund_requests, len(gateway.refunds_looked_up)) == ([], 2)
        forged.refresh_from_db()
        assert (forged.status, forged.failure_code) == ("FAILED", "not_reserved")
        assert state_of(payment.account) == ("ACTIVE", 0, 0)

    def test_gives_nothing_back_where_its_payment_has_no_invoice(self) -> None:
        account = an_account()
        payment = received(account, 500)
        forged = planted(payment, first_called_at=NOW)
        record_refund_outcomes(outcomes={forged.id: Declined(code="lost_or_stolen_card")}, today=TODAY, now=NOW)
        forged.refresh_from_db()
        assert (forged.status, forged.failure_code) == ("FAILED", "lost_or_stolen_card")
        assert state_of(account) == ("PENDING", 0, 500)


@rolled_back
class TestAnUnknownOutcome:
    def test_keeps_its_reservation_and_moves_nothing(self) -> None:
        payment = paid()
        refund = requested(payment)
        assert sent(refund, gateway=ScriptedGateway(refunds=[TimeoutError("slow")])) == []
        refund.refresh_from_db()
        assert (refund.status, refund.completed_at, refund.needs_review) == ("UNKNOWN", None, False)
        assert left_of(payment) == (0, 1999, 1999)
        assert entries_of(payment.account) == [("charge", 1999), ("payment", 1999)]

    @pytest.mark.parametrize("change", ["key", "amount_minor", "currency"])
    def test_of_money_that_was_not_requested_needs_review_and_is_not_booked(
        self, change: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        payment = paid()
        refund, other = requested(payment, 700), requested(payment, 800)
        wrong: dict[str, Any] = {"key": other.id, "amount_minor": 701, "currency": "EUR"}

        def garbled(request: Any) -> Any:
            return dataclasses.replace(sends_back(request), **{change: wrong[change]})

        assert sent(refund, gateway=ScriptedGateway(refunds=[garbled])) == []
        refund.refresh_from_db()
        assert (refund.status, refund.needs_review) == ("UNKNOWN", True)
        assert refund.review_reason.startswith("the gateway ")
        assert entries_of(payment.account) == [("charge", 1999), ("payment", 1999)]
        errors = [record.event for record in caplog.records if record.levelno == logging.ERROR]  # type: ignore[attr-defined]
        assert errors == ["refund.unknown"]

    def test_under_another_refunds_reference_is_booked_as_one(self) -> None:
        payment = paid()
        refunds = [requested(payment, 700), requested(payment, 800)]

        def one_name(request: Any) -> Any:
            return sends_back(request).of(request, reference="re_1")

        assert sent(*refunds, gateway=ScriptedGateway(refunds=[one_name, one_name])) == []
        states = list(Refund.objects.order_by("id").values_list("status", "needs_review"))
        assert states == [("SUCCEEDED", False), ("UNKNOWN", True)]
        assert entries_of(payment.account)[2:] == [("refund", 700), ("credit_note", 700)]
        assert left_of(payment) == (700, 800, 1299)


def statements_to_record(refunds: int) -> int:
    """For refunds of different accounts, people and months, and two of one payment."""
    bodies = []
    for number in range(refunds - 1):
        payment = paid()
        bodies.append(requested(payment, 700, author=f"staff:{number}"))
    bodies.append(requested(payment, 1299, author="staff:last"))
    outcomes = {
        each.id: Succeeded(reference=f"re_{each.id}", key=each.id, amount_minor=each.amount_minor, currency="USD")
        for each in bodies
    }
    with CaptureQueriesContext(connection) as queries:
        assert len(record_refund_outcomes(outcomes=outcomes, today=TODAY, now=NOW).rows) == refunds
    noted = CreditNote.objects.filter(refund_id__in=outcomes).order_by("refund_id")
    assert [note.created_by for note in noted] == [each.created_by for each in bodies]
    assert set(Entry.objects.filter(refund_id__in=outcomes).values_list("created_by", "refund_id")) == {
        (each.created_by, each.id) for each in bodies
    }
    assert statuses_of(payment.account) == [(TODAY, "VOIDED")]
    assert discrepancies() == []
    return len(queries)


@rolled_back
@pytest.mark.parametrize("numbering", ["account", "company"])
def test_takes_as_many_statements_for_two_refunds_as_for_twelve(numbering: str, settings: Any) -> None:
    settings.INVOICE_NUMBERING = numbering
    two = statements_to_record(2)
    assert statements_to_record(12) == two


# In transactions of its own, as the worker has them.
@committed
def test_a_refund_that_the_database_refuses_needs_review_and_the_others_are_booked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refunds = [requested(paid(), 700) for _ in range(3)]

    def refuse(booked: list[Refund]) -> None:
        if bad in booked:
            raise DataError("bad row")
        note(booked)

    bad, note = refunds[1], refund_outcomes._note_refunded
    monkeypatch.setattr(refund_outcomes, "_note_refunded", refuse)
    assert sent(*refunds) == []
    assert sorted(Refund.objects.values_list("status", flat=True)) == ["SUCCEEDED", "SUCCEEDED", "UNKNOWN"]
    bad.refresh_from_db()
    assert bad.review_reason == "its outcome can't be recorded (DataError: bad row)"
    assert (Entry.objects.filter(type="refund").count(), left_of(bad.payment)) == (2, (0, 700, 1999))


@rolled_back
def test_a_credit_note_after_a_refund_gives_back_only_the_rest() -> None:
    payment = paid()
    refunded(payment, 700)
    note = issue_credit_note(invoice_id=invoices_of(payment.account)[0].id, **SIGNED)
    assert (note.amount_minor, note.to_balance_minor) == (1299, 1299)
    assert state_of(payment.account) == ("ACTIVE", 0, 1299)
