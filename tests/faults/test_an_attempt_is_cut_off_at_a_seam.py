"""A step of dunning, or a payment that a person asks for, is killed at each seam; the invoice is collected once."""

import datetime
from collections.abc import Iterator

import pytest
from django.utils import timezone

from accounts.billing_day import billing_day
from accounts.models import Account
from invoices.models import Invoice
from payments.models import Payment
from rebilling.models import Run
from tests.builders import a_plan, an_account, billed
from tests.support.databases import committed
from tests.support.owing import DECLINED, answers, rows, state_of
from tests.support.workers.processes import Seam, Workers, workers_on_a_queue

KILLED = -9

REQUEST = """
from uuid import UUID
from django.utils import timezone
from payments.payment_requests import pay_invoice
pay_invoice(invoice_id=UUID("{invoice}"), author="staff:ann", now=timezone.now())
"""

TAKING = [
    Seam("rebilling.sweep.send_dunning", "before"),
    Seam("payments.dunning_steps.lock_accounts"),
    Seam("payments.dunning.record_attempts"),
    Seam("payments.dunning_steps.submit_and_mark"),
    Seam("payments.dunning_steps.save_accounts"),
]
TAKEN = [
    (Seam("payments.dunning_steps.take_steps_of"), 0),
    (Seam("payments.dunning_steps.send_payments", "before"), 0),
    (Seam("payments.dunning_steps.send_payments"), 1),
    (Seam("rebilling.sweep.send_dunning"), 1),
]
"""The seam, and how many messages carry the payment by then."""
BEFORE_COMMIT = [
    Seam("payments.payment_requests.lock_invoice"),
    Seam("payments.payment_requests.submit_and_mark"),
    Seam("payments.payment_requests.send_payments_when_committed"),
]
AFTER_COMMIT = [
    (Seam("payments.messages.dispatch._try_to_send", "before"), 0),
    (Seam("payments.messages.queue.SqsQueue.send", "before"), 0),
    (Seam("payments.messages.queue.SqsQueue.send"), 1),
]


@pytest.fixture(scope="module")
def module_workers(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    # No waiting: what is left over is sent at once.
    settings = {"REBILLING_RESEND_MINUTES": "0"}
    with workers_on_a_queue(tmp_path_factory.mktemp("workers"), settings) as workers:
        yield workers


@pytest.fixture
def account(transactional_db: None) -> Account:
    """1,999 declined yesterday; its first step of dunning comes today."""
    today = billing_day(timezone.now())
    made = an_account(plan=a_plan(), today=today - datetime.timedelta(days=1))
    billed(as_of=today - datetime.timedelta(days=1), gateway=answers(DECLINED))
    made.refresh_from_db()
    assert (made.status, made.dunning_on) == ("PAST_DUE", today)
    return made


def attempts() -> list[str]:
    """The statuses of the payments after the first."""
    return [payment.status for payment in Payment.objects.order_by("id")[1:]]


def work_off(workers: Workers) -> None:
    assert workers.run("process_queue", "--max-messages", str(workers.queue.visible)) == 0
    assert workers.queue.on_its_way == 0


def assert_collected_once(workers: Workers, account: Account) -> None:
    payment = Payment.objects.latest("id")
    assert attempts() == ["SUCCEEDED"]
    assert workers.book.calls == {str(payment.id): 1}
    assert workers.book.taken == {str(payment.id): 1999}
    assert (rows(account), state_of(account)) == ([("PAID", 0, 1999)], ("ACTIVE", 0, 0))
    account.refresh_from_db()
    assert (account.dunning_steps, account.dunning_on) == (0, None)


@committed
@pytest.mark.fault
class TestAStepOfDunningIsCutOff:
    @staticmethod
    def sweep(workers: Workers, *, seam: Seam | None) -> None:
        today = billing_day(timezone.now()).isoformat()
        assert workers.run("sweep", "--as-of", today, seam=seam) == (KILLED if seam else 0)
        assert Run.objects.latest("id").passed_at is not None

    def test_nowhere_and_all_ends_well(self, workers: Workers, account: Account) -> None:
        self.sweep(workers, seam=None)
        work_off(workers)
        assert_collected_once(workers, account)

    @pytest.mark.parametrize("seam", TAKING, ids=str)
    def test_while_it_is_taken_leaves_nothing_and_is_taken_by_reconcile(
        self, workers: Workers, account: Account, seam: Seam
    ) -> None:
        before = Account.objects.values("dunning_steps", "dunning_on", "status").get()
        self.sweep(workers, seam=seam)
        assert (attempts(), workers.queue.on_its_way) == ([], 0)
        assert Account.objects.values("dunning_steps", "dunning_on", "status").get() == before
        assert Invoice.objects.get().in_flight is False
        assert workers.run("reconcile") == 0
        work_off(workers)
        assert_collected_once(workers, account)

    @pytest.mark.parametrize(("seam", "messages"), TAKEN, ids=str)
    def test_once_it_is_taken_is_sent_by_its_message_or_by_reconcile(
        self, workers: Workers, account: Account, seam: Seam, messages: int
    ) -> None:
        self.sweep(workers, seam=seam)
        assert (attempts(), workers.queue.on_its_way) == (["SUBMITTED"], messages)
        account.refresh_from_db()
        assert (account.dunning_steps, account.dunning_on) == (1, None)
        assert workers.run("reconcile") == 0
        work_off(workers)
        assert_collected_once(workers, account)

    def test_and_swept_again_takes_one_step(self, workers: Workers, account: Account) -> None:
        self.sweep(workers, seam=Seam("payments.dunning_steps.take_steps_of"))
        self.sweep(workers, seam=None)
        assert attempts() == ["SUBMITTED"]
        assert workers.run("reconcile") == 0
        work_off(workers)
        assert_collected_once(workers, account)


@committed
@pytest.mark.fault
class TestAPaymentThatIsAskedForIsCutOff:
    @staticmethod
    def request(workers: Workers, *, seam: Seam | None) -> None:
        code = REQUEST.format(invoice=Invoice.objects.get().id)
        ended = workers.run("shell", "--no-imports", "-c", code, seam=seam)
        assert ended == (KILLED if seam else 0), workers.log.read_text()[-2000:]

    @pytest.mark.parametrize("seam", BEFORE_COMMIT, ids=str)
    def test_before_it_is_committed_leaves_nothing(self, workers: Workers, account: Account, seam: Seam) -> None:
        self.request(workers, seam=seam)
        assert (attempts(), Invoice.objects.get().in_flight, workers.queue.on_its_way) == ([], False, 0)
        self.request(workers, seam=None)
        work_off(workers)
        assert_collected_once(workers, account)

    @pytest.mark.parametrize(("seam", "messages"), AFTER_COMMIT, ids=str)
    def test_once_it_is_committed_is_sent_by_its_message_or_by_reconcile(
        self, workers: Workers, account: Account, seam: Seam, messages: int
    ) -> None:
        self.request(workers, seam=seam)
        assert (attempts(), workers.queue.on_its_way) == (["SUBMITTED"], messages)
        assert workers.run("reconcile") == 0
        work_off(workers)
        assert_collected_once(workers, account)
