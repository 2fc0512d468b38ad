"""Who requests a refund, or a worker that sends it, is killed at each seam; it ends sent once and booked once."""

from collections.abc import Iterator

import pytest
from django.utils import timezone

from accounts.billing_day import billing_day
from accounts.models import Account
from invoices.models import CreditNote, Invoice
from ledger.balances import book_totals
from ledger.models import Entry
from payments.models import Payment, Refund
from rebilling.sweep import sweep
from tests.builders import a_plan, an_account
from tests.support.databases import committed
from tests.support.owing import rows, state_of
from tests.support.workers.processes import Seam, Workers, workers_on_a_queue

KILLED = -9

REQUEST = """
from uuid import UUID
from django.utils import timezone
from accounts.billing_day import billing_day
from payments.refund_requests import request_refund
now = timezone.now()
signed = dict(reason="unhappy", author="staff:ann", today=billing_day(now), now=now)
request_refund(payment_id=UUID("{payment}"), amount_minor=700, **signed)
"""

RESERVING = [
    Seam("payments.refund_requests.request_refund", "before"),
    Seam("payments.refund_requests.lock_payment"),
    Seam("payments.refund_requests.Refund.objects.create"),
    Seam("payments.refund_requests.save_invoices"),
    Seam("payments.refund_requests.save_accounts"),
    Seam("payments.refund_requests.send_refund_when_committed"),
]
RESERVED = [
    (Seam("payments.messages.dispatch._try_to_send", "before"), 0),
    (Seam("payments.messages.queue.SqsQueue.send", "before"), 0),
    (Seam("payments.messages.queue.SqsQueue.send"), 1),
    (Seam("payments.refund_requests.request_refund"), 1),
]
SENDING = [
    (Seam("rebilling.worker._send_refunds", "before"), 0),
    (Seam("rebilling.worker.call_gateway", "before"), 0),
    (Seam("rebilling.worker.take_lease"), 0),
    (Seam("tests.support.workers.provider.ProviderOnDisk.send", "before"), 0),
    (Seam("tests.support.workers.provider.ProviderOnDisk.send"), 1),
    (Seam("rebilling.worker.call_gateway"), 1),
    (Seam("payments.refund_outcomes.lock_accounts_of"), 1),
    (Seam("payments.refund_outcomes.write_outcomes"), 1),
    (Seam("payments.refund_outcomes.post"), 1),
    (Seam("payments.refund_outcomes._credit_invoices"), 1),
    (Seam("payments.refund_outcomes.save_invoices"), 1),
    (Seam("payments.refund_outcomes.refresh_accounts"), 1),
    (Seam("payments.refund_outcomes._book"), 1),
]
BOOKED = [
    Seam("rebilling.worker.record_refund_outcomes"),
    Seam("rebilling.worker._send_refunds"),
    Seam("localcloud.sqs.poller.Poller._delete", "before"),
]


@pytest.fixture(scope="module")
def module_workers(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    # No waiting: a message comes back at once, a lease is over as soon as it is taken, and reconcile sends at once what
    # is left over.
    settings = {
        "PAYMENT_LEASE_SECONDS": "0",
        # Less than nothing, so that calls begin for a moment although the lease is over.
        "PAYMENT_GATEWAY_TIMEOUT_SECONDS": "-1.5",
        "REBILLING_RESEND_MINUTES": "0",
    }
    with workers_on_a_queue(tmp_path_factory.mktemp("workers"), settings) as workers:
        yield workers


@committed
@pytest.mark.fault
class TestARefundIsCutOff:
    def test_nowhere_and_all_ends_well(self, workers: Workers) -> None:
        payment = a_payment_taken(workers)
        request_a_refund(workers, payment, seam=None)
        assert_reserved(workers, asked=0, messages=1)
        work_one_message(workers)
        assert_sent_once_and_booked_once(workers, payment, asked=1)

    @pytest.mark.parametrize("seam", RESERVING, ids=str)
    def test_while_it_is_reserved_leaves_nothing(self, workers: Workers, seam: Seam) -> None:
        payment = a_payment_taken(workers)
        request_a_refund(workers, payment, seam=seam)
        assert (Refund.objects.count(), workers.queue.on_its_way, reserved()) == (0, 0, 0)
        request_a_refund(workers, payment, seam=None)
        work_one_message(workers)
        assert_sent_once_and_booked_once(workers, payment, asked=1)

    @pytest.mark.parametrize(("seam", "messages"), RESERVED, ids=str)
    def test_once_it_is_reserved_is_sent_by_its_message_or_by_reconcile(
        self, workers: Workers, seam: Seam, messages: int
    ) -> None:
        payment = a_payment_taken(workers)
        request_a_refund(workers, payment, seam=seam)
        assert_reserved(workers, asked=0, messages=messages)
        assert workers.run("reconcile") == 0
        assert workers.queue.on_its_way == messages + 1
        for _ in range(messages + 1):
            work_one_message(workers)
        assert_sent_once_and_booked_once(workers, payment, asked=1)

    @pytest.mark.parametrize(("seam", "asked"), SENDING, ids=str)
    def test_before_it_is_booked_is_sent_again_under_its_key(self, workers: Workers, seam: Seam, asked: int) -> None:
        payment = a_payment_taken(workers)
        request_a_refund(workers, payment, seam=None)
        work_one_message(workers, seam=seam)
        assert_reserved(workers, asked=asked, messages=1)
        work_one_message(workers)
        assert_sent_once_and_booked_once(workers, payment, asked=asked + 1)

    @pytest.mark.parametrize("seam", BOOKED, ids=str)
    def test_once_it_is_booked_has_nothing_left_to_do(self, workers: Workers, seam: Seam) -> None:
        payment = a_payment_taken(workers)
        request_a_refund(workers, payment, seam=None)
        work_one_message(workers, seam=seam)
        assert workers.queue.on_its_way == 1
        work_one_message(workers)
        assert_sent_once_and_booked_once(workers, payment, asked=1)

    def test_and_its_message_lost_besides_is_sent_by_reconcile(self, workers: Workers) -> None:
        payment = a_payment_taken(workers)
        request_a_refund(workers, payment, seam=None)
        work_one_message(workers, seam=Seam("tests.support.workers.provider.ProviderOnDisk.send"))
        workers.queue.clear()
        assert_reserved(workers, asked=1, messages=0)
        assert workers.run("reconcile") == 0
        work_one_message(workers)
        assert_sent_once_and_booked_once(workers, payment, asked=2)


def a_payment_taken(workers: Workers) -> Payment:
    """1,999, collected by a worker from a new account."""
    now = timezone.now()
    account = an_account(plan=a_plan(), today=billing_day(now))
    sweep(as_of=billing_day(now), queue=workers.queue.product_queue, now=now)
    work_one_message(workers)
    payment = account.payments.get()
    assert (payment.status, payment.gateway) == ("SUCCEEDED", "on-disk")
    return payment


def request_a_refund(workers: Workers, payment: Payment, *, seam: Seam | None) -> None:
    ended = workers.run("shell", "--no-imports", "-c", REQUEST.format(payment=payment.id), seam=seam)
    assert ended == (KILLED if seam else 0), workers.log.read_text()[-2000:]


def work_one_message(workers: Workers, *, seam: Seam | None = None) -> None:
    assert workers.run("process_queue", "--max-messages", "1", seam=seam) == (KILLED if seam else 0)


def reserved() -> int:
    """What the invoice keeps for refunds in flight."""
    return Invoice.objects.get().refunding_minor


def assert_reserved(workers: Workers, *, asked: int, messages: int) -> None:
    refund = Refund.objects.get()
    assert (refund.status, refund.amount_minor, reserved()) == ("SUBMITTED", 700, 700)
    assert workers.book.refund_calls.total() == asked
    assert workers.queue.on_its_way == messages
    assert list(Entry.objects.order_by("id").values_list("type", "amount_minor")) == [
        ("charge", 1999),
        ("payment", 1999),
    ]
    assert rows(refund.account) == [("PAID", 0, 1999)]
    assert CreditNote.objects.count() == 0


def assert_sent_once_and_booked_once(workers: Workers, payment: Payment, *, asked: int) -> None:
    refund = Refund.objects.get()
    assert (refund.status, refund.gateway_reference) == ("SUCCEEDED", f"sent-{refund.id}")
    assert workers.queue.on_its_way == 0
    assert workers.book.refund_calls == {str(refund.id): asked}
    assert workers.book.sent_back == {str(refund.id): 700}
    assert workers.book.taken == {str(payment.id): 1999}
    booked = list(Entry.objects.order_by("id").values_list("type", "amount_minor", "idempotency_key"))[2:]
    note = CreditNote.objects.get()
    assert (note.amount_minor, note.to_refund_minor, note.refund_id) == (700, 700, refund.id)
    assert booked == [("refund", 700, f"refund:{refund.id}"), ("credit_note", 700, f"credit_note:{note.id}:1")]
    account = Account.objects.get()
    assert (rows(account), state_of(account)) == ([("PAID", 0, 1999)], ("ACTIVE", 0, 0))
    assert Invoice.objects.values_list("refunded_minor", "refunding_minor").get() == (700, 0)
    assert Payment.objects.get().refunded_minor == 700
    assert book_totals()["USD"]["cash"] == 1299
