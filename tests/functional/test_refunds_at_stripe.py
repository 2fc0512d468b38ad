"""Refunds through the Stripe adapter and the simulated provider: by the provider's own records each is sent once."""

from collections.abc import Iterator
from typing import Any

import pytest

from invoices.models import CreditNote
from ledger.balances import balance, book_totals
from localcloud.simulated_stripe.faults import Kind
from payments.models import Payment, Refund
from tests.builders import QueueInHand, an_account, billed, delivered, sent_again
from tests.support.databases import rolled_back
from tests.support.gateway_requests import NOW
from tests.support.owing import rows
from tests.support.refunds import entries_of, requested
from tests.support.stripe_bench import StripeBench, stripe_bench

TODAY = NOW.date()

pytestmark = rolled_back


@pytest.fixture
def bench(settings: Any) -> Iterator[StripeBench]:
    settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS = 2
    with stripe_bench() as bench:
        yield bench


@pytest.fixture
def payment(bench: StripeBench) -> Payment:
    account = an_account(today=TODAY, payment_customer="cus_1", payment_method="pm_card")
    billed(as_of=TODAY, gateway=bench.gateway)
    payment = account.payments.get()
    assert (payment.status, payment.gateway) == ("SUCCEEDED", "stripe")
    return payment


def sent_by_reconcile(bench: StripeBench, *, failed: bool = False) -> Refund:
    """An hour later the hourly check sends what is left over, and the worker looks it up."""
    bench.clock.advance(hours=1)
    queue = QueueInHand()
    assert sent_again(queue=queue, now=bench.clock.now) == 1
    ended = delivered(bodies=queue.take(), gateway=bench.gateway, today=bench.clock.now.date(), now=bench.clock.now)
    assert ended == (["0"] if failed else [])
    return Refund.objects.get()


def sent_back(bench: StripeBench) -> list[tuple[str, int]]:
    return [(movement.owner, movement.amount) for movement in bench.provider.records.sent_back]


def assert_booked_as_sent(bench: StripeBench, payment: Payment) -> None:
    refund = Refund.objects.get()
    assert refund.status == "SUCCEEDED"
    assert sent_back(bench) == [(str(refund.id), 500)]
    assert entries_of(payment.account)[2:] == [("refund", 500), ("credit_note", 500)]
    assert (rows(payment.account), balance(account_id=payment.account_id)) == ([("PAID", 0, 1999)], 0)
    note = CreditNote.objects.get()
    assert (note.amount_minor, note.to_refund_minor, note.refund_id) == (500, 500, refund.id)
    taken = sum(movement.amount for movement in bench.provider.records.taken)
    assert book_totals()["USD"]["cash"] == taken - 500 == 1499


class TestRefundAtStripe:
    def test_is_sent_and_booked(self, bench: StripeBench, payment: Payment) -> None:
        requested(payment, 500, today=TODAY, now=NOW)
        refund = sent_by_reconcile(bench)
        assert refund.gateway_reference.startswith("re_")
        assert_booked_as_sent(bench, payment)

    @pytest.mark.parametrize(
        "kind",
        [Kind.RESET_BEFORE, Kind.RESET_AFTER, Kind.ERROR_AFTER, Kind.GARBAGE, Kind.EMPTY_OBJECT, Kind.TIMEOUT_AFTER],
    )
    def test_whose_answer_is_lost_is_looked_up_and_sent_once(
        self, bench: StripeBench, payment: Payment, kind: Kind
    ) -> None:
        requested(payment, 500, today=TODAY, now=NOW)
        bench.fail_next(kind, call="refund.create")
        assert sent_by_reconcile(bench).status == "UNKNOWN"
        sent_by_reconcile(bench)
        assert_booked_as_sent(bench, payment)

    def test_that_it_does_not_take_now_is_sent_later(self, bench: StripeBench, payment: Payment) -> None:
        requested(payment, 500, today=TODAY, now=NOW)
        bench.fail_next(Kind.WRONG_KEY, call="refund.create")
        refund = sent_by_reconcile(bench, failed=True)
        assert (refund.status, refund.first_called_at, sent_back(bench)) == ("SUBMITTED", None, [])
        sent_by_reconcile(bench)
        assert_booked_as_sent(bench, payment)

    def test_that_stays_pending_is_booked_once_it_is_through(self, bench: StripeBench, payment: Payment) -> None:
        requested(payment, 500, today=TODAY, now=NOW)
        bench.fail_next(Kind.PROCESSING, call="refund.create", seconds=5400)
        assert sent_by_reconcile(bench).status == "UNKNOWN"
        assert sent_by_reconcile(bench).status == "UNKNOWN"
        assert entries_of(payment.account) == [("charge", 1999), ("payment", 1999)]
        sent_by_reconcile(bench)
        assert_booked_as_sent(bench, payment)

    def test_of_another_amount_needs_review(self, bench: StripeBench, payment: Payment) -> None:
        requested(payment, 500, today=TODAY, now=NOW)
        bench.fail_next(Kind.ANOTHER_AMOUNT, call="refund.create")
        refund = sent_by_reconcile(bench)
        assert (refund.status, refund.needs_review) == ("UNKNOWN", True)
        assert refund.review_reason == "the gateway moved 5.01 USD; we asked for 5.00 USD"
        assert entries_of(payment.account) == [("charge", 1999), ("payment", 1999)]

    def test_that_fails_moves_nothing(self, bench: StripeBench, payment: Payment) -> None:
        requested(payment, 500, today=TODAY, now=NOW)
        bench.fail_next(Kind.DECLINE, call="refund.create", code="expired_or_canceled_card")
        refund = sent_by_reconcile(bench)
        assert (refund.status, refund.failure_code) == ("FAILED", "expired_or_canceled_card")
        assert (sent_back(bench), rows(payment.account)) == ([], [("PAID", 0, 1999)])
        assert not CreditNote.objects.exists()
