"""Refunds race each other, the reversal of their charge, deliveries, and people who resolve them."""

from functools import partial
from typing import Any

import pytest

from accounts.models import Account
from ledger.balances import balance
from ledger.models import Entry
from payments.gateways.port import Succeeded, Unknown
from payments.models import Payment, Refund
from payments.outcomes import Written
from rebilling.adjustments import grant_credit, reverse_entry
from rebilling.credit_allocation import free_credit
from rebilling.refund_outcomes import record_refund_outcomes
from rebilling.refund_requests import AlreadyRequested, NothingToRefund, left_to_refund
from rebilling.reviews import UnableToResolve, resolve_refund
from tests.builders import NOW, TODAY, ScriptedGateway
from tests.concurrency.test_money_is_moved_twice_at_once import one_after_the_other, outcome_of
from tests.support.databases import committed
from tests.support.owing import rows
from tests.support.refunds import entries_of, paid, requested, sent
from tests.support.workers.threads import all_meet_before, threads

NEEDS_REVIEW = Unknown(reason="the gateway moved 5 USD", needs_review=True)

pytestmark = committed


def booked(refund: Refund) -> list[tuple[Refund, Written]]:
    answer = Succeeded(
        reference=f"re-{refund.id}", key=refund.id, amount_minor=refund.amount_minor, currency=refund.currency
    )
    return record_refund_outcomes(outcomes={refund.id: answer}, as_of=TODAY, now=NOW)


def charge_reversed(payment: Payment) -> Entry:
    assert payment.charge_id
    return reverse_entry(entry_id=payment.charge_id, reason="a slip", author="bo", today=TODAY, now=NOW)


def resolved(refund: Refund, *, said_sent: bool = True) -> Refund:
    return resolve_refund(
        refund_id=refund.id, sent=said_sent, reference="re_1", reason="r", author="bo", today=TODAY, now=NOW
    )


def assert_free(account: Account, free_minor: int) -> None:
    outstanding = sum(row.outstanding_minor for row in account.rebillings.filter(status__in=["CHARGED", "UNPAID"]))
    assert free_credit(account_ids=[account.id]) == {account.id: free_minor}
    assert balance(account_id=account.id) == outstanding - free_minor


class TestTwoRefunds:
    @pytest.mark.parametrize(("first", "second"), [(1999, 1), (1000, 1000), (1999, 1999)])
    def test_that_together_exceed_the_payment_are_one(self, first: int, second: int) -> None:
        payment = paid()
        taken, refused = one_after_the_other(partial(requested, payment, first), partial(requested, payment, second))
        assert taken.amount_minor == first
        assert isinstance(refused, NothingToRefund)
        assert list(Refund.objects.values_list("amount_minor", flat=True)) == [first]

    def test_at_the_same_time_exactly_one_is_taken(self) -> None:
        payment = paid()
        with all_meet_before("accounts.locks.lock_accounts", parties=4), threads() as start:
            asked = [start(partial(outcome_of, partial(requested, payment, 1000))) for _ in range(4)]
        ended = [future.result() for future in asked]
        assert sum(isinstance(end, Refund) for end in ended) == 1
        assert sum(isinstance(end, NothingToRefund) for end in ended) == 3
        assert left_to_refund(payment) == 999

    def test_that_fit_are_both_taken(self) -> None:
        payment = paid()
        one_after_the_other(partial(requested, payment, 1000), partial(requested, payment, 999))
        assert left_to_refund(payment) == 0

    def test_under_one_key_are_one(self) -> None:
        payment = paid()
        request = partial(requested, payment, 500, request_key="form-1")
        _, refused = one_after_the_other(request, request)
        assert isinstance(refused, AlreadyRequested)
        assert Refund.objects.count() == 1

    def test_booked_at_once_use_free_credit_once(self) -> None:
        payment = paid()
        grant_credit(account_id=payment.account_id, amount_minor=700, reason="r", author="t", today=TODAY, now=NOW)
        first, second = requested(payment, 1000), requested(payment, 999)
        one_after_the_other(partial(booked, first), partial(booked, second))
        assert entries_of(payment.account)[3:] == [("refund", 1000), ("credit", 300), ("refund", 999), ("credit", 999)]
        assert rows(payment.account) == [("PAID", 1999, 0)]
        assert_free(payment.account, 0)


class TestARefundAndAReversalOfItsCharge:
    def test_that_comes_second_leaves_the_credit_free(self) -> None:
        payment = paid()
        refund = requested(payment)
        one_after_the_other(partial(booked, refund), partial(charge_reversed, payment))
        assert entries_of(payment.account)[2:] == [("refund", 1999), ("credit", 1999), ("reversal", 1999)]
        assert rows(payment.account) == [("VOIDED", 0, 0)]
        assert_free(payment.account, 1999)

    def test_that_comes_first_gives_it_the_money_to_send(self) -> None:
        payment = paid()
        refund = requested(payment)
        one_after_the_other(partial(charge_reversed, payment), partial(booked, refund))
        assert entries_of(payment.account)[2:] == [("reversal", 1999), ("refund", 1999)]
        assert rows(payment.account) == [("VOIDED", 0, 0)]
        assert_free(payment.account, 0)

    def test_at_the_same_time_end_in_one_order_or_the_other(self) -> None:
        payment = paid()
        refund = requested(payment)
        sent(refund, gateway=ScriptedGateway(refunds=[NEEDS_REVIEW]))
        with all_meet_before("accounts.locks.lock_accounts", parties=2), threads() as start:
            resolving, reversing = start(partial(resolved, refund)), start(partial(charge_reversed, payment))
        assert (resolving.result().status, reversing.result().type) == ("SUCCEEDED", "reversal")
        credited = sum(amount for type_, amount in entries_of(payment.account) if type_ == "credit")
        assert credited in {0, 1999}
        assert rows(payment.account) == [("VOIDED", 0, 0)]
        assert_free(payment.account, credited)


class TestOneRefund:
    def test_delivered_twice_at_once_is_sent_once(self) -> None:
        refund = requested(paid())
        gateway = ScriptedGateway()
        with all_meet_before("payments.gateway_calls.take_lease", parties=2), threads() as start:
            deliveries: list[Any] = [start(partial(sent, refund, gateway=gateway)) for _ in range(2)]
        assert sorted(future.result() for future in deliveries) in ([[], ["0"]], [[], []])
        assert len(gateway.refund_requests) == 1
        assert entries_of(refund.payment.account)[2:] == [("refund", 1999), ("credit", 1999)]

    def test_recorded_twice_at_once_is_booked_once(self) -> None:
        refund = requested(paid())
        first, second = one_after_the_other(partial(booked, refund), partial(booked, refund))
        assert ([recorded.status for recorded, _ in first], second) == (["SUCCEEDED"], [])
        assert entries_of(refund.payment.account)[2:] == [("refund", 1999), ("credit", 1999)]

    @pytest.mark.parametrize("said_sent", [True, False])
    def test_resolved_by_two_people_at_once_goes_by_the_first(self, said_sent: bool) -> None:
        refund = requested(paid())
        sent(refund, gateway=ScriptedGateway(refunds=[NEEDS_REVIEW]))
        first, second = one_after_the_other(
            partial(resolved, refund, said_sent=said_sent), partial(resolved, refund, said_sent=not said_sent)
        )
        assert first.status == ("SUCCEEDED" if said_sent else "FAILED")
        assert isinstance(second, UnableToResolve)
        assert Entry.objects.filter(type="refund").count() == int(said_sent)
