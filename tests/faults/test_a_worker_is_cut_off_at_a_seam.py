"""A worker is killed at each seam of its work; the message is delivered again, and all ends as if nothing had been."""

from collections.abc import Iterator

import pytest

from payments.models import Payment
from rebilling.models import Run
from tests.faults.mixed_batch import (
    CHARGES,
    CREDITS,
    INVOICES,
    PAYMENTS,
    PERIODS,
    assert_ended_well,
    sweep_a_mixed_batch,
    what_is_there,
)
from tests.support.databases import committed
from tests.support.workers.processes import Seam, Workers, workers_on_a_queue

KILLED = -9

Rows = tuple[dict[str, int], ...]
"""Rebillings by status, invoices by status, entries by type and payments by status."""

DUE: Rows = ({"DUE": PERIODS + 1, "SKIPPED": 1}, {}, {"credit": CREDITS}, {})
PERIODS_CHARGED = {"CHARGED": PERIODS, "PARKED": 1, "SKIPPED": 1}
CHARGED: Rows = (
    PERIODS_CHARGED,
    # Two cost nothing or are paid from credit.
    {"OPEN": PAYMENTS, "PAID": 2},
    {"credit": CREDITS, "charge": CHARGES},
    {"SUBMITTED": PAYMENTS},
)
RECORDED: Rows = (
    PERIODS_CHARGED,
    {"OPEN": 1, "PAID": INVOICES - 1},
    {"credit": CREDITS, "charge": CHARGES, "payment": PAYMENTS - 1},
    {"SUCCEEDED": PAYMENTS - 1, "DECLINED": 1},
)

CHARGING = [
    Seam("rebilling.worker._process", "before"),
    Seam("rebilling.worker.invoice_periods", "before"),
    Seam("rebilling.invoice_periods.lock_accounts"),
    Seam("rebilling.invoice_periods.skip"),
    Seam("rebilling.invoice_periods.park"),
    Seam("rebilling.invoice_periods._move_to_charged"),
    Seam("invoices.issuance._invoice_columns"),
    Seam("invoices.issuance.post", "before"),
    Seam("rebilling.invoice_periods.issue_invoices"),
    Seam("payments.first_attempts.record_attempts"),
    Seam("rebilling.invoice_periods.submit_first_attempts"),
    Seam("rebilling.invoice_periods.save_accounts"),
    Seam("rebilling.invoice_periods._charge"),
]
COLLECTING = [
    (Seam("rebilling.worker.invoice_periods"), 0),
    (Seam("rebilling.worker.submitted_under_lease"), 0),
    (Seam("rebilling.worker.call_gateway", "before"), 0),
    (Seam("tests.support.workers.provider.ProviderOnDisk.take", "before", 4), 3),
    (Seam("tests.support.workers.provider.ProviderOnDisk.take", "after", 4), 4),
    (Seam("rebilling.worker.call_gateway"), PAYMENTS),
    (Seam("payments.payment_outcomes.lock_accounts_of"), PAYMENTS),
    (Seam("payments.payment_outcomes.write_outcomes"), PAYMENTS),
    (Seam("payments.payment_outcomes.apply_payment"), PAYMENTS),
    (Seam("payments.payment_outcomes.post"), PAYMENTS),
    (Seam("payments.payment_outcomes.save_invoices"), PAYMENTS),
    (Seam("payments.payment_outcomes.refresh_accounts", "before"), PAYMENTS),
    (Seam("payments.payment_outcomes.refresh_accounts"), PAYMENTS),
    (Seam("payments.payment_outcomes._Batch.record"), PAYMENTS),
]
COLLECTING_WHAT_ANOTHER_LEFT = [
    Seam("rebilling.worker._payments_never_collected"),
    Seam("payments.leases.check_amounts"),
    Seam("rebilling.worker.take_lease"),
    Seam("rebilling.worker.call_gateway", "before"),
]
ACKNOWLEDGING = [
    Seam("rebilling.worker.record_payment_outcomes"),
    Seam("rebilling.worker.send_payments"),
    Seam("rebilling.worker._process"),
    Seam("localcloud.sqs.poller.Poller._delete", "before"),
]


@pytest.fixture(scope="module")
def module_workers(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    # No waiting: a message comes back at once, and a lease is over as soon as it is taken; a deadline of less than
    # nothing lets calls begin for a moment all the same. One payment after another, so that the number of calls is
    # known.
    settings = {"PAYMENT_LEASE_SECONDS": "0", "PAYMENT_GATEWAY_TIMEOUT_SECONDS": "-1.5", "PAYMENT_COLLECTORS": "1"}
    with workers_on_a_queue(tmp_path_factory.mktemp("workers"), settings) as workers:
        yield workers


@committed
@pytest.mark.fault
class TestAWorkerIsCutOff:
    def test_nowhere_and_all_ends_well(self, workers: Workers) -> None:
        run = sweep_a_mixed_batch(queue=workers.queue.product_queue)
        assert workers.run("process_queue", "--max-messages", "1") == 0
        assert workers.queue.on_its_way == 0
        assert what_is_there() == RECORDED
        assert workers.book.calls.total() == PAYMENTS
        assert_ended_well(run)

    @pytest.mark.parametrize("seam", CHARGING, ids=str)
    def test_while_charging_leaves_nothing(self, workers: Workers, seam: Seam) -> None:
        cut_off_and_deliver_again(workers, seam, leaves=DUE, asked=0)

    @pytest.mark.parametrize(("seam", "asked"), COLLECTING, ids=str)
    def test_before_recording_leaves_payments_submitted(self, workers: Workers, seam: Seam, asked: int) -> None:
        cut_off_and_deliver_again(workers, seam, leaves=CHARGED, asked=asked)

    @pytest.mark.parametrize("seam", COLLECTING_WHAT_ANOTHER_LEFT, ids=str)
    def test_twice_before_it_calls_leaves_payments_submitted(self, workers: Workers, seam: Seam) -> None:
        charged_only = Seam("rebilling.worker.invoice_periods")
        cut_off_and_deliver_again(workers, charged_only, seam, leaves=CHARGED, asked=0)

    @pytest.mark.parametrize("seam", ACKNOWLEDGING, ids=str)
    def test_before_acknowledging_has_nothing_left_to_do(self, workers: Workers, seam: Seam) -> None:
        cut_off_and_deliver_again(workers, seam, leaves=RECORDED, asked=PAYMENTS)


@committed
@pytest.mark.fault
class TestAWorkerWithLittleTimeLeft:
    """It charges, collects nothing, and sends the payments on as a message of their own."""

    LITTLE = {"localcloud.invocation.FUNCTION_TIMEOUT_SECONDS": 3}

    def test_sends_the_payments_on(self, workers: Workers) -> None:
        run = self.work_with_little_time(workers, seam=None)
        assert workers.queue.on_its_way == 1
        self.work_the_rest(workers, run, messages=1)

    def test_cut_off_before_it_sends_them_comes_again_with_its_own_message(self, workers: Workers) -> None:
        run = self.work_with_little_time(workers, seam=Seam("payments.messages.queue.SqsQueue.send", "before", 2))
        assert workers.queue.on_its_way == 1
        self.work_the_rest(workers, run, messages=1)

    def test_cut_off_after_it_sent_them_collects_each_once(self, workers: Workers) -> None:
        run = self.work_with_little_time(workers, seam=Seam("payments.messages.queue.SqsQueue.send", "after", 2))
        assert workers.queue.on_its_way == 2
        self.work_the_rest(workers, run, messages=2)

    def work_with_little_time(self, workers: Workers, *, seam: Seam | None) -> Run:
        run = sweep_a_mixed_batch(queue=workers.queue.product_queue)
        ended = workers.run("process_queue", "--max-messages", "1", seam=seam, constants=self.LITTLE)
        assert ended == (KILLED if seam else 0)
        assert what_is_there() == CHARGED
        assert workers.book.calls.total() == 0
        assert not Payment.objects.filter(leased_until__isnull=False).exists()
        return run

    @staticmethod
    def work_the_rest(workers: Workers, run: Run, *, messages: int) -> None:
        assert workers.run("process_queue", "--max-messages", str(messages)) == 0
        assert workers.queue.on_its_way == 0
        assert workers.book.calls.total() == PAYMENTS
        assert_ended_well(run)


def cut_off_and_deliver_again(workers: Workers, *seams: Seam, leaves: Rows, asked: int) -> None:
    """Once at each of the seams, one after the other."""
    run = sweep_a_mixed_batch(queue=workers.queue.product_queue)
    for seam in seams:
        assert workers.run("process_queue", "--max-messages", "1", seam=seam) == KILLED
    assert what_is_there() == leaves
    assert workers.book.calls.total() == asked
    assert workers.run("process_queue", "--max-messages", "1") == 0
    assert workers.queue.on_its_way == 0
    # A payment that was submitted but not recorded is submitted again, under its old key.
    assert workers.book.calls.total() == (asked if leaves == RECORDED else asked + PAYMENTS)
    paid = Payment.objects.filter(status="SUCCEEDED").values_list("id", "amount_minor")
    assert workers.book.taken == {str(id_): amount for id_, amount in paid}
    assert_ended_well(run)
