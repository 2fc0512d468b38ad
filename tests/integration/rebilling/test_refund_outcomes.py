"""Refunds' outcomes: what each means for the refund, the ledger and the charge."""

import dataclasses
import logging
from typing import Any

import pytest
from django.db import DataError

from ledger.balances import balance, book_totals
from ledger.models import Entry
from payments.gateways.port import Declined, Succeeded, Unknown
from payments.models import Payment, Refund
from rebilling import refund_outcomes
from rebilling.adjustments import UnableToReverse, grant_credit, reverse_entry
from rebilling.refund_outcomes import book, record_refund_outcomes
from rebilling.refund_requests import left_to_refund
from rebilling.reviews import book_late_refund
from rebilling.write_offs import write_off
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, ScriptedGateway, a_plan, an_account, at, billed, sends_back
from tests.support.databases import committed, rolled_back
from tests.support.owing import DECLINED, FEB_1, received, rows
from tests.support.refunds import entries_of, paid, refunded, requested, sent

MOST = 99_999_999
TIMED_OUT = Unknown(reason="timed out", needs_review=True)
FEB_2 = FEB_1.replace(day=2)
SIGNED: dict[str, Any] = {"reason": "r", "author": "bo", "today": FEB_1, "now": at(FEB_1)}


def credited(payment: Payment, amount_minor: int) -> Entry:
    return grant_credit(account_id=payment.account_id, amount_minor=amount_minor, **SIGNED)


def reverse_the(type_: str, payment: Payment) -> Entry:
    """The newest of that type that isn't reversed."""
    newest = Entry.objects.filter(account=payment.account_id, type=type_, reversed_by=None).latest("id")
    return reverse_entry(entry_id=newest.id, **SIGNED)


@rolled_back
class TestASucceededRefund:
    def test_is_booked_with_the_credit_that_keeps_the_customer_from_owing_it_again(self) -> None:
        payment = paid()
        gateway = ScriptedGateway()
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
        sent_back, credit = Entry.objects.filter(account=payment.account).order_by("id")[2:]
        assert (sent_back.type, sent_back.debit, sent_back.credit) == ("refund", "receivable", "cash")
        assert (sent_back.amount_minor, sent_back.payment_id) == (700, payment.id)
        assert (sent_back.idempotency_key, sent_back.description) == (f"refund:{refund.id}", "unhappy")
        assert (credit.type, credit.debit, credit.credit) == ("credit", "credits", "receivable")
        assert (credit.amount_minor, credit.payment_id) == (700, None)
        assert credit.idempotency_key == f"refund_credit:{refund.id}"
        assert credit.description == f"Not owed again after refund {refund.id}"
        for entry in (sent_back, credit):
            assert (entry.created_by, entry.effective_on, entry.created_at) == ("staff:anna", FEB_1, at(FEB_1))
        assert rows(payment.account) == [("PAID", 700, 1299)]
        assert (payment.account.status, balance(account_id=payment.account_id)) == ("PENDING", 0)
        assert book_totals()["USD"] == {
            "receivable": 0, "revenue": -1999, "cash": 1299, "credits": 700, "bad_debt": 0,
        }  # fmt: skip

    @pytest.mark.parametrize(("free", "uncovered"), [(1, 1998), (1998, 1), (1999, 0), (5000, 0)])
    def test_takes_free_credit_first_and_credits_the_rest(self, free: int, uncovered: int) -> None:
        payment = paid()
        credited(payment, free)
        refunded(payment)
        expected = [("credit", uncovered)] if uncovered else []
        assert entries_of(payment.account)[2:] == [("credit", free), ("refund", 1999), *expected]
        assert rows(payment.account) == [("PAID", 1999, 0)]
        assert balance(account_id=payment.account_id) == -max(0, free - 1999)

    def test_in_parts_counts_each_and_the_free_credit_once(self) -> None:
        payment = paid()
        credited(payment, 500)
        first, second = requested(payment, 400), requested(payment, 1599)
        assert sent(first, second) == []
        assert entries_of(payment.account)[3:] == [("refund", 400), ("refund", 1599), ("credit", 1499)]
        assert rows(payment.account) == [("PAID", 1999, 0)]
        assert balance(account_id=payment.account_id) == 0

    def test_of_another_account_takes_none_of_its_credit(self) -> None:
        payment, other = paid(), paid()
        credited(other, 5000)
        assert sent(requested(payment), requested(other, 1000)) == []
        assert entries_of(payment.account)[2:] == [("refund", 1999), ("credit", 1999)]
        assert entries_of(other.account)[2:] == [("credit", 5000), ("refund", 1000)]
        assert balance(account_id=other.account_id) == -4000

    def test_leaves_what_is_in_flight_of_another_charge_as_it_is(self) -> None:
        payment = paid()
        billed(as_of=FEB_1, gateway=ScriptedGateway(Unknown(reason="timed out")))
        refunded(payment)
        assert rows(payment.account) == [("PAID", 1999, 0), ("CHARGED", 0, 0)]
        assert balance(account_id=payment.account_id) == 1999

    def test_while_credit_is_missing_credits_what_was_sent_and_no_more(self) -> None:
        """A charge whose payment is on its way gives credit that was reversed back only once that is known."""
        payment = paid()
        credit = credited(payment, 500)
        billed(as_of=FEB_1, gateway=ScriptedGateway(Unknown(reason="timed out")))
        reverse_entry(entry_id=credit.id, **SIGNED)
        refunded(payment)
        assert entries_of(payment.account)[-2:] == [("refund", 1999), ("credit", 1999)]
        assert rows(payment.account) == [("PAID", 1999, 0), ("CHARGED", 500, 0)]
        assert balance(account_id=payment.account_id) == 1999

    def test_of_an_unpaid_charges_first_part_leaves_the_rest_owed(self) -> None:
        """Credit paid a part of it and is reversed after the payment took the rest."""
        account = an_account()
        credit = grant_credit(account_id=account.id, amount_minor=500, **SIGNED)
        billed(as_of=TODAY)
        reverse_entry(entry_id=credit.id, **SIGNED)
        assert rows(account) == [("UNPAID", 0, 1499)]
        refunded(account.payments.get(), 1000)
        assert rows(account) == [("UNPAID", 1000, 499)]
        assert balance(account_id=account.id) == 500

    def test_of_the_largest_amount_is_exact(self) -> None:
        payment = paid(plan=a_plan(unit_amount_minor=MOST))
        refunded(payment, MOST)
        assert rows(payment.account) == [("PAID", MOST, 0)]
        assert balance(account_id=payment.account_id) == 0

    def test_delivered_again_is_booked_once(self) -> None:
        payment, gateway = paid(), ScriptedGateway()
        refund = requested(payment)
        for _ in range(3):
            assert sent(refund, gateway=gateway) == []
        assert len(gateway.refund_requests) == 1
        assert entries_of(payment.account)[2:] == [("refund", 1999), ("credit", 1999)]
        assert left_to_refund(payment) == 0


@rolled_back
class TestOnItsWay:
    """The charge was wrong: it is reversed, which makes its money credit, and that is being sent back."""

    @pytest.fixture
    def refund(self) -> Refund:
        payment = paid()
        assert payment.charge_id
        reverse_entry(entry_id=payment.charge_id, **SIGNED)
        # Too short a time ago for the sweep to send it.
        return requested(payment, now=at(FEB_1))

    def test_it_keeps_its_credit_from_the_next_charge(self, refund: Refund) -> None:
        account, gateway = refund.payment.account, ScriptedGateway()
        billed(as_of=FEB_1, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [1999]
        assert rows(account) == [("VOIDED", 0, 1999), ("PAID", 0, 1999)]
        assert sent(refund) == []
        assert entries_of(account)[-1] == ("refund", 1999)
        assert balance(account_id=account.id) == 0

    def test_it_keeps_no_more_than_its_own(self, refund: Refund) -> None:
        grant_credit(account_id=refund.payment.account_id, amount_minor=500, **SIGNED)
        gateway = ScriptedGateway()
        billed(as_of=FEB_1, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [1499]

    def test_it_keeps_credit_from_an_unpaid_charge_and_gives_it_up_when_it_fails(self, refund: Refund) -> None:
        account = refund.payment.account
        billed(as_of=FEB_1, gateway=ScriptedGateway(Declined(code="insufficient_funds")))
        account.refresh_from_db()
        assert (rows(account)[-1], account.status) == (("UNPAID", 0, 0), "PAST_DUE")
        assert sent(refund, gateway=ScriptedGateway(refunds=[Declined(code="charge_disputed")])) == []
        account.refresh_from_db()
        assert (rows(account)[-1], account.status) == (("PAID", 1999, 0), "ACTIVE")
        assert balance(account_id=account.id) == 0

    def test_sent_after_it_had_failed_its_credit_is_had_twice_until_that_is_reversed(self, refund: Refund) -> None:
        account = refund.payment.account
        assert sent(refund, gateway=ScriptedGateway(refunds=[Declined(code="charge_disputed")])) == []
        billed(as_of=FEB_1, gateway=ScriptedGateway())
        assert rows(account) == [("VOIDED", 0, 1999), ("PAID", 1999, 0)]
        assert sent_after_all(refund).status == "SUCCEEDED"
        assert entries_of(account)[-2:] == [("refund", 1999), ("credit", 1999)]
        reverse_the("credit", refund.payment)
        gateway = ScriptedGateway()
        billed(as_of=FEB_2, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [1999]
        assert (rows(account), balance(account_id=account.id)) == ([("VOIDED", 0, 0), ("PAID", 0, 1999)], 0)


def sent_after_all(refund: Refund) -> Refund:
    """The gateway says so of one that has FAILED, and a person books it."""
    late = Succeeded(reference="re_9", key=refund.id, amount_minor=refund.amount_minor, currency=refund.currency)
    assert record_refund_outcomes(outcomes={refund.id: late}, as_of=FEB_1, now=at(FEB_1)) == []
    return book_late_refund(refund_id=refund.id, reference="re_9", **SIGNED)


@rolled_back
class TestOfAChargeThatStands:
    @pytest.mark.parametrize("how", ["received", "credited"])
    @pytest.mark.parametrize("when", ["before", "meanwhile", "after"])
    @pytest.mark.parametrize("outcome", [None, TIMED_OUT])
    def test_takes_nothing_of_what_comes_for_another(self, how: str, when: str, outcome: Unknown | None) -> None:
        """January is being sent back as a favour, February is unpaid, and money comes."""
        payment = paid()
        account = payment.account
        billed(as_of=FEB_1, gateway=ScriptedGateway(Declined(code="insufficient_funds")))

        def pay(now: str) -> None:
            if now == when:
                received(account, 1999) if how == "received" else credited(payment, 1999)

        pay("before")
        refund = requested(payment, now=at(FEB_1))
        if outcome:
            assert sent(refund, gateway=ScriptedGateway(refunds=[outcome])) == []
        pay("meanwhile")
        if not outcome:
            assert sent(refund) == []
        pay("after")
        account.refresh_from_db()
        sent_back = 0 if outcome else 1999
        assert rows(account) == [("PAID", sent_back, 1999 - sent_back), ("PAID", 1999, 0)]
        assert (account.status, balance(account_id=account.id)) == ("ACTIVE", 0)


# In transactions of its own, as the worker has them.
@committed
def test_a_refund_that_the_database_refuses_needs_review_and_the_others_are_booked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refunds = [requested(paid(), 700) for _ in range(3)]

    def refuse(*, refunds: Any, **given: Any) -> None:
        if any(refund.id == bad.id for refund in refunds):
            raise DataError("bad row")
        book(refunds=refunds, **given)

    bad = refunds[1]
    monkeypatch.setattr(refund_outcomes, "book", refuse)
    assert sent(*refunds) == []
    assert sorted(Refund.objects.values_list("status", flat=True)) == ["SUCCEEDED", "SUCCEEDED", "UNKNOWN"]
    bad.refresh_from_db()
    assert bad.review_reason == "its outcome can't be recorded (DataError: bad row)"
    assert Entry.objects.filter(type="refund").count() == 2


@rolled_back
class TestOtherOutcomes:
    def test_a_failed_one_frees_its_reservation_and_moves_nothing(self) -> None:
        payment = paid()
        refund = requested(payment)
        assert sent(refund, gateway=ScriptedGateway(refunds=[Declined(code="charge_disputed")])) == []
        refund.refresh_from_db()
        assert (refund.status, refund.failure_code, refund.completed_at) == ("FAILED", "charge_disputed", NOW)
        assert entries_of(payment.account) == [("charge", 1999), ("payment", 1999)]
        assert rows(payment.account) == [("PAID", 0, 1999)]
        refunded(payment)
        assert rows(payment.account) == [("PAID", 1999, 0)]

    def test_an_unknown_one_keeps_its_reservation_and_moves_nothing(self) -> None:
        payment = paid()
        refund = requested(payment)
        assert sent(refund, gateway=ScriptedGateway(refunds=[TimeoutError("slow")])) == []
        refund.refresh_from_db()
        assert (refund.status, refund.completed_at, refund.needs_review) == ("UNKNOWN", None, False)
        assert (left_to_refund(payment), rows(payment.account)) == (0, [("PAID", 0, 1999)])
        assert entries_of(payment.account) == [("charge", 1999), ("payment", 1999)]

    @pytest.mark.parametrize("change", ["key", "amount_minor", "currency"])
    def test_money_that_was_not_requested_needs_review_and_is_not_booked(
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

    def test_two_under_one_reference_are_booked_as_one(self) -> None:
        payment = paid()
        refunds = [requested(payment, 700), requested(payment, 800)]

        def one_name(request: Any) -> Any:
            return sends_back(request).of(request, reference="re_1")

        assert sent(*refunds, gateway=ScriptedGateway(refunds=[one_name, one_name])) == []
        states = list(Refund.objects.order_by("id").values_list("status", "needs_review"))
        assert states == [("SUCCEEDED", False), ("UNKNOWN", True)]
        assert entries_of(payment.account)[2:] == [("refund", 700), ("credit", 700)]


@rolled_back
class TestWhatIsReversedAround:
    def test_a_charge_reversed_first_has_its_money_sent_back_without_credit(self) -> None:
        payment = paid()
        reverse_the("charge", payment)
        assert balance(account_id=payment.account_id) == -1999
        refunded(payment)
        assert entries_of(payment.account)[2:] == [("reversal", 1999), ("refund", 1999)]
        assert (rows(payment.account), balance(account_id=payment.account_id)) == ([("VOIDED", 0, 0)], 0)

    def test_and_restored_after_that_it_is_unpaid_and_collected_again(self) -> None:
        payment = paid()
        reverse_the("charge", payment)
        refunded(payment)
        reverse_the("reversal", payment)
        assert (rows(payment.account), balance(account_id=payment.account_id)) == ([("UNPAID", 0, 0)], 1999)
        gateway = ScriptedGateway()
        billed(as_of=FEB_2, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [1999, 1999]
        assert rows(payment.account) == [("PAID", 0, 1999)] * 2
        assert balance(account_id=payment.account_id) == 0

    def test_restored_after_a_part_was_sent_back_it_is_unpaid_of_that_part(self) -> None:
        payment = paid()
        reverse_the("charge", payment)
        refunded(payment, 600)
        assert balance(account_id=payment.account_id) == -1399
        reverse_the("reversal", payment)
        assert (rows(payment.account), balance(account_id=payment.account_id)) == ([("UNPAID", 0, 1399)], 600)

    def test_a_charge_reversed_after_a_refund_leaves_its_credit_free(self) -> None:
        """Sent back, and not owed either: the credit is the customer's, unless it is reversed as well."""
        payment = paid()
        refunded(payment)
        reverse_the("charge", payment)
        assert (rows(payment.account), balance(account_id=payment.account_id)) == ([("VOIDED", 0, 0)], -1999)
        reverse_the("credit", payment)
        assert balance(account_id=payment.account_id) == 0

    def test_money_that_another_charge_has_used_meanwhile_is_credited(self) -> None:
        payment = paid()
        reverse_the("charge", payment)
        billed(as_of=FEB_1)
        assert rows(payment.account) == [("VOIDED", 0, 1999), ("PAID", 1999, 0)]
        refunded(payment)
        assert entries_of(payment.account)[3:] == [("charge", 1999), ("refund", 1999), ("credit", 1999)]
        assert rows(payment.account) == [("VOIDED", 0, 0), ("PAID", 1999, 0)]
        assert balance(account_id=payment.account_id) == 0

    def test_the_credit_of_a_refund_reversed_makes_the_charge_owed_and_collected_again(self) -> None:
        payment = paid()
        refunded(payment)
        reverse_the("credit", payment)
        payment.account.refresh_from_db()
        assert (rows(payment.account), payment.account.status) == ([("UNPAID", 0, 0)], "PAST_DUE")
        assert balance(account_id=payment.account_id) == 1999
        gateway = ScriptedGateway()
        billed(as_of=FEB_2, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [1999, 1999]
        refunded(payment.account.payments.exclude(id=payment.id).get(charge=payment.charge_id))
        assert rows(payment.account) == [("PAID", 1999, 0), ("PAID", 0, 1999)]

    def test_the_credit_of_a_refund_is_given_back_by_the_newest_charge_that_has_credit(self) -> None:
        payment = paid()
        credited(payment, 500)
        billed(as_of=FEB_1)
        refunded(payment)
        assert rows(payment.account) == [("PAID", 1999, 0), ("PAID", 500, 1499)]
        reverse_the("credit", payment)
        assert rows(payment.account) == [("UNPAID", 500, 0), ("UNPAID", 0, 1499)]
        assert balance(account_id=payment.account_id) == 1999

    def test_a_refund_itself_is_not_reversed(self) -> None:
        payment = paid()
        refunded(payment)
        before = entries_of(payment.account)
        with pytest.raises(UnableToReverse):
            reverse_the("refund", payment)
        assert entries_of(payment.account) == before


@rolled_back
class TestAWrittenOffCharge:
    def partly_paid_and_written_off(self) -> Payment:
        account = an_account()
        credit = grant_credit(account_id=account.id, amount_minor=500, **SIGNED)
        billed(as_of=TODAY)
        reverse_entry(entry_id=credit.id, **SIGNED)
        write_off(account_id=account.id, **SIGNED)
        assert rows(account) == [("WRITTEN_OFF", 0, 1499)]
        return account.payments.get()

    def test_whose_part_is_sent_back_stays_written_off_by_what_it_was(self) -> None:
        payment = self.partly_paid_and_written_off()
        refunded(payment, 1499)
        assert rows(payment.account) == [("WRITTEN_OFF", 1499, 0)]
        assert balance(account_id=payment.account_id) == 0
        assert book_totals()["USD"] == {
            "receivable": 0, "revenue": -1999, "cash": 0, "credits": 1499, "bad_debt": 500,
        }  # fmt: skip
        reverse_the("write_off", payment)
        assert (rows(payment.account), balance(account_id=payment.account_id)) == ([("UNPAID", 1499, 0)], 500)

    def test_keeps_the_credit_of_the_refund_until_its_write_off_is_reversed(self) -> None:
        payment = self.partly_paid_and_written_off()
        refunded(payment, 1499)
        before = entries_of(payment.account)
        with pytest.raises(UnableToReverse, match="reverse that write-off first"):
            reverse_the("credit", payment)
        assert entries_of(payment.account) == before
        assert rows(payment.account) == [("WRITTEN_OFF", 1499, 0)]
        reverse_the("write_off", payment)
        reverse_the("credit", payment)
        assert (rows(payment.account), balance(account_id=payment.account_id)) == ([("UNPAID", 0, 0)], 1999)


@rolled_back
class TestAClosedAccount:
    def test_whose_last_payment_is_sent_back_owes_nothing(self) -> None:
        payment = paid()
        close_account(account_id=payment.account_id, reason="left", author="t", now=NOW)
        refunded(payment, 1000)
        payment.account.refresh_from_db()
        assert (payment.account.status, payment.account.inactive_reason) == ("INACTIVE", "closed")
        assert rows(payment.account) == [("PAID", 1000, 999)]
        assert balance(account_id=payment.account_id) == 0

    def test_that_was_declined_and_paid_outside_is_refunded_of_that(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(DECLINED))
        payment = received(account, 1999)
        close_account(account_id=account.id, reason="left", author="t", now=NOW)
        requested(payment)
        assert rows(account) == [("PAID", 1999, 0)]
        assert balance(account_id=account.id) == 0
