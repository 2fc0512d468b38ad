"""Who requests a payment method session, or a worker that opens it or finds what was given, is killed at each seam; it
is opened once, and its payment method is given to the account and tried once.
"""

from collections.abc import Iterator

import pytest
from django.utils import timezone

from accounts.billing_day import billing_day
from accounts.models import Account, AccountChange
from payments.messages.format import to_json
from payments.messages.rows import SessionsMessage
from payments.models import PaymentMethodSession
from rebilling.sweep import sweep
from tests.builders import a_plan, an_account
from tests.support.databases import committed
from tests.support.owing import state_of
from tests.support.workers.processes import Seam, Workers, workers_on_a_queue
from tests.support.workers.provider import DECLINES

KILLED = -9

REQUEST = """
from uuid import UUID
from django.utils import timezone
from payments.method_sessions.requests import request_session
request_session(account_id=UUID("{account}"), author="key:shop", now=timezone.now())
"""

_CALLS, _OUTCOMES = "payments.method_sessions.gateway_calls", "payments.method_sessions.outcomes"
_PROVIDER = "tests.support.workers.provider.ProviderOnDisk"
REQUESTING = [
    Seam("payments.method_sessions.requests.lock_account"),
    Seam("payments.method_sessions.requests.PaymentMethodSession.objects.create"),
    Seam("payments.method_sessions.requests.send_session_when_committed"),
]
REQUESTED = [
    (Seam("payments.messages.dispatch._try_to_send", "before"), 0),
    (Seam("payments.messages.queue.SqsQueue.send"), 1),
]
OPENING = [
    (Seam("rebilling.worker.call_for_sessions", "before"), 0),
    (Seam(f"{_PROVIDER}.open_session", "before"), 0),
    (Seam(f"{_PROVIDER}.open_session"), 1),
    (Seam(f"{_CALLS}.record_answer", "before"), 1),
    (Seam(f"{_OUTCOMES}.lock_account"), 1),
    (Seam(f"{_OUTCOMES}._keep_secret"), 1),
]
OPENED = [
    Seam(f"{_CALLS}.record_answer"),
    Seam("rebilling.worker._work_on_sessions"),
    Seam("localcloud.sqs.poller.Poller._delete", "before"),
]
COMPLETING = [
    Seam(f"{_PROVIDER}.look_up_session"),
    Seam(f"{_CALLS}.record_answer", "before"),
    Seam(f"{_OUTCOMES}.update_account", "before"),
    Seam("payments.account_updates.change_account"),
    Seam("payments.payment_requests.submit_and_mark"),
    Seam(f"{_OUTCOMES}.update_account"),
    Seam(f"{_OUTCOMES}._end"),
]
COMPLETED = [
    (Seam("payments.messages.dispatch._try_to_send", "before"), 0),
    (Seam("payments.messages.queue.SqsQueue.send"), 1),
    (Seam(f"{_CALLS}.record_answer"), 1),
    (Seam("localcloud.sqs.poller.Poller._delete", "before"), 1),
]


@pytest.fixture(scope="module")
def module_workers(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    # No waiting: as the refunds' own.
    settings = {
        "PAYMENT_LEASE_SECONDS": "0",
        "PAYMENT_GATEWAY_TIMEOUT_SECONDS": "-1.5",
        "REBILLING_RESEND_MINUTES": "0",
    }
    with workers_on_a_queue(tmp_path_factory.mktemp("workers"), settings) as workers:
        yield workers


@committed
@pytest.mark.fault
class TestASessionIsCutOff:
    def test_nowhere_and_all_ends_well(self, workers: Workers) -> None:
        account = an_account_that_owes(workers)
        request(workers, account)
        work(workers)
        assert_opened(workers, asked=1)
        complete(workers)
        work(workers)
        assert_completed_and_paid_once(workers, account)

    @pytest.mark.parametrize("seam", REQUESTING, ids=str)
    def test_while_it_is_requested_leaves_nothing(self, workers: Workers, seam: Seam) -> None:
        account = an_account_that_owes(workers)
        request(workers, account, seam=seam)
        assert (PaymentMethodSession.objects.count(), workers.queue.on_its_way) == (0, 0)

    @pytest.mark.parametrize(("seam", "messages"), REQUESTED, ids=str)
    def test_once_it_is_requested_is_opened_by_its_message_or_by_reconcile(
        self, workers: Workers, seam: Seam, messages: int
    ) -> None:
        request(workers, an_account_that_owes(workers), seam=seam)
        assert workers.queue.on_its_way == messages
        assert workers.run("reconcile") == 0
        work(workers, messages=messages + 1)
        assert_opened(workers, asked=1)

    @pytest.mark.parametrize(("seam", "asked"), OPENING, ids=str)
    def test_before_it_is_recorded_as_opened_is_opened_again_under_its_key(
        self, workers: Workers, seam: Seam, asked: int
    ) -> None:
        account = an_account_that_owes(workers)
        request(workers, account)
        work(workers, seam=seam)
        session = PaymentMethodSession.objects.get()
        assert (session.status, session.gateway_reference, session.client_secret) == ("OPEN", "", "")
        assert workers.book.session_calls.total() == asked
        work(workers)
        assert_opened(workers, asked=asked + 1)

    @pytest.mark.parametrize("seam", OPENED, ids=str)
    def test_once_it_is_recorded_as_opened_is_not_opened_again(self, workers: Workers, seam: Seam) -> None:
        request(workers, an_account_that_owes(workers))
        work(workers, seam=seam)
        assert workers.queue.on_its_way == 1
        work(workers)
        assert_opened(workers, asked=1)

    @pytest.mark.parametrize("seam", COMPLETING, ids=str)
    def test_before_it_is_recorded_as_completed_changes_nothing_and_is_looked_up_again(
        self, workers: Workers, seam: Seam
    ) -> None:
        account = an_account_that_owes(workers)
        request(workers, account)
        work(workers)
        complete(workers, seam=seam)
        assert_opened(workers, asked=1, messages=1)
        account.refresh_from_db()
        assert (account.payment_customer, account.payments.count()) == (DECLINES, 1)
        work(workers, messages=2)
        assert_completed_and_paid_once(workers, account)

    @pytest.mark.parametrize(("seam", "messages"), COMPLETED, ids=str)
    def test_once_it_is_recorded_as_completed_is_paid_by_its_message_or_by_reconcile(
        self, workers: Workers, seam: Seam, messages: int
    ) -> None:
        account = an_account_that_owes(workers)
        request(workers, account)
        work(workers)
        complete(workers, seam=seam)
        assert PaymentMethodSession.objects.get().status == "COMPLETED"
        # The session's own message comes again, and finds nothing to do.
        assert workers.queue.on_its_way == messages + 1
        assert workers.run("reconcile") == 0
        work(workers, messages=messages + 2)
        assert_completed_and_paid_once(workers, account)


def an_account_that_owes(workers: Workers) -> Account:
    """1,999, which the provider declined."""
    now = timezone.now()
    account = an_account(plan=a_plan(), today=billing_day(now), payment_customer=DECLINES, payment_method="pm_1")
    sweep(as_of=billing_day(now), queue=workers.queue.product_queue, now=now)
    work(workers)
    assert state_of(account) == ("PAST_DUE", 1999, 0)
    return account


def request(workers: Workers, account: Account, *, seam: Seam | None = None) -> None:
    ended = workers.run("shell", "--no-imports", "-c", REQUEST.format(account=account.id), seam=seam)
    assert ended == (KILLED if seam else 0), workers.log.read_text()[-2000:]


def complete(workers: Workers, *, seam: Seam | None = None) -> None:
    """The customer gives a card, and a worker has a look."""
    workers.book.give("pm_given")
    workers.queue.send(to_json(SessionsMessage(ids=(PaymentMethodSession.objects.get().id,))))
    work(workers, seam=seam)


def work(workers: Workers, *, seam: Seam | None = None, messages: int = 1) -> None:
    for _ in range(messages):
        assert workers.run("process_queue", "--max-messages", "1", seam=seam) == (KILLED if seam else 0)


def assert_opened(workers: Workers, *, asked: int, messages: int = 0) -> None:
    session = PaymentMethodSession.objects.get()
    assert (session.status, session.gateway_reference) == ("OPEN", f"opened-{session.id}")
    assert (session.client_secret, session.customer) == (f"secret-{session.id}", DECLINES)
    assert workers.book.session_calls == {str(session.id): asked}
    assert workers.queue.on_its_way == messages


def assert_completed_and_paid_once(workers: Workers, account: Account) -> None:
    session = PaymentMethodSession.objects.get()
    assert (session.status, session.customer, session.payment_method) == ("COMPLETED", "given", "pm_given")
    assert session.client_secret == ""
    account.refresh_from_db()
    assert (account.payment_customer, account.payment_method) == ("given", "pm_given")
    assert AccountChange.objects.filter(after__has_key="payment_method").count() == 1
    declined, paid = account.payments.order_by("id")
    assert (declined.status, paid.status, paid.cause) == ("DECLINED", "SUCCEEDED", "payment_method")
    assert workers.book.calls == {str(declined.id): 1, str(paid.id): 1}
    assert workers.book.taken == {str(paid.id): 1999}
    assert state_of(account) == ("ACTIVE", 0, 0)
    assert workers.queue.on_its_way == 0
