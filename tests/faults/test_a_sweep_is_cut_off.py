"""A sweep is killed at a seam of its work; the next sweep, or the hourly check, makes up for it."""

import datetime
from collections import Counter
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.billing_day import billing_day
from accounts.models import Account
from ledger.balances import book_totals
from ledger.models import Entry
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.reconcile import reconcile
from rebilling.reconciliation.summary import reconciliation_of
from rebilling.sweep import sweep
from tests.builders import a_plan, an_account, sent_again
from tests.support.databases import committed
from tests.support.workers.processes import Seam, Workers, workers_on_a_queue

ACCOUNTS = 24
SMALL = {"rebilling.sweep.BATCH_ACCOUNTS": 10, "rebilling.messages.dispatch.MAX_ITEMS": 2}
"""Three batches of accounts to write about, and twelve messages in two batches to send."""
KILLED = -9

WRITING = [
    (Seam("rebilling.sweep.Run.save"), 0),
    (Seam("rebilling.sweep.mark_past_due"), 0),
    (Seam("rebilling.sweep.lock_accounts"), 0),
    (Seam("rebilling.sweep.write_rows"), 0),
    (Seam("rebilling.sweep.write_rows", "after", 2), 10),
    (Seam("rebilling.sweep.send_due", "before"), ACCOUNTS),
]
"""The seam, and how many rows are written by then: whole batches."""
SENDING = [
    (Seam("payments.messages.queue.SqsQueue._send_batch"), 10),
    (Seam("payments.messages.queue.SqsQueue._send_batch", "before", 2), 10),
    (Seam("rebilling.sweep.send_due"), 12),
]
"""The seam, and how many messages are on the queue by then."""


@pytest.fixture(scope="module")
def module_workers(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    with workers_on_a_queue(tmp_path_factory.mktemp("workers"), {}, visibility_timeout_seconds=60) as workers:
        yield workers


def cut_off(workers: Workers, seam: Seam) -> Run:
    """Accounts due today, and a sweep that was killed. Returns its run."""
    now = timezone.now()
    today = billing_day(now)
    plan = a_plan(interval_unit="week", unit_amount_minor=1000)
    for _ in range(ACCOUNTS):
        # Long enough before: a run answers for the accounts that were certainly there when it began.
        an_account(plan=plan, today=today, now=now - datetime.timedelta(hours=2))
    assert workers.run("sweep", "--as-of", today.isoformat(), seam=seam, constants=SMALL) == KILLED
    run = Run.objects.get()
    assert (run.status, run.swept_at) == ("OPEN", None)
    return run


def assert_all_charged_once(workers: Workers) -> None:
    """Works what is on the queue, and finds every account charged once."""
    assert workers.run("process_queue", "--max-messages", str(workers.queue.visible)) == 0
    assert workers.queue.on_its_way == 0
    assert Counter(Rebilling.objects.values_list("status", "invoice__status")) == {("CHARGED", "PAID"): ACCOUNTS}
    assert Counter(Entry.objects.values_list("type", flat=True)) == {"charge": ACCOUNTS, "payment": ACCOUNTS}
    assert workers.book.calls.total() == len(workers.book.taken) == ACCOUNTS
    week = billing_day(timezone.now()) + datetime.timedelta(days=7)
    assert Account.objects.filter(rebilling_date__range=(week - datetime.timedelta(days=1), week)).count() == ACCOUNTS
    assert sum(book_totals()["USD"].values()) == 0
    found = [reconciliation_of(run=run, now=timezone.now()) for run in Run.objects.all()]
    assert all(run.clean for run in found)
    assert sum(run.due.periods for run in found) == sum(run.charged.periods for run in found) == ACCOUNTS


@committed
@pytest.mark.fault
class TestASweepIsCutOff:
    @pytest.mark.parametrize(("seam", "rows"), WRITING, ids=str)
    def test_before_it_sends_and_the_next_one_makes_up(self, workers: Workers, seam: Seam, rows: int) -> None:
        first = cut_off(workers, seam)
        assert Rebilling.objects.count() == rows
        assert workers.queue.on_its_way == 0
        second = sweep(as_of=first.as_of, queue=workers.queue.product_queue, now=timezone.now())
        # All is sent; what the first had written is the first's.
        assert workers.queue.on_its_way == 1
        assert [run.rebillings.count() for run in (first, second)] == [rows, ACCOUNTS - rows]
        assert_all_charged_once(workers)

    @pytest.mark.parametrize(("seam", "messages"), SENDING, ids=str)
    def test_while_it_sends_and_the_next_one_makes_up(self, workers: Workers, seam: Seam, messages: int) -> None:
        first = cut_off(workers, seam)
        assert Rebilling.objects.count() == ACCOUNTS
        assert workers.queue.on_its_way == messages
        second = sweep(as_of=first.as_of, queue=workers.queue.product_queue, now=timezone.now())
        # Sent again, the old messages and the new one charge each period once between them.
        assert workers.queue.on_its_way == messages + 1
        assert [run.rebillings.count() for run in (first, second)] == [ACCOUNTS, 0]
        assert_all_charged_once(workers)

    @pytest.mark.parametrize(
        "seam",
        [Seam("rebilling.sweep.send_due", "before"), Seam("payments.messages.queue.SqsQueue._send_batch")],
        ids=str,
    )
    def test_and_the_hourly_check_sends_what_is_left(self, workers: Workers, seam: Seam) -> None:
        run = cut_off(workers, seam)
        waiting = workers.queue.on_its_way
        queue, minutes = workers.queue.product_queue, settings.REBILLING_RESEND_MINUTES
        soon, late = (timezone.now() + datetime.timedelta(minutes=after) for after in (minutes - 1, minutes + 1))
        assert sent_again(queue=queue, now=soon) == 0
        assert sent_again(queue=queue, now=late) == 1
        assert workers.queue.on_its_way == waiting + 1
        assert_all_charged_once(workers)
        # Nothing of it is left to be sent, and everything is explained.
        assert sent_again(queue=queue, now=late) == 0
        (found,) = reconcile(runs=[run], now=late)
        assert (found.due.periods, found.charged.periods, found.unexplained.periods) == (ACCOUNTS, ACCOUNTS, 0)

    def test_before_it_wrote_all_and_reconcile_says_what_is_missing(self, workers: Workers) -> None:
        run = cut_off(workers, Seam("rebilling.sweep.write_rows", "after", 2))
        over = run.started_at + datetime.timedelta(minutes=settings.REBILLING_DUE_MINUTES + 1)
        (found,) = reconcile(runs=[run], now=over)
        # Ten rows that wait past their time, and fourteen accounts that no row was written for.
        assert found.unexplained.periods == ACCOUNTS
        assert not found.clean

    def test_and_its_run_is_reconciled_when_the_next_one_made_up(self, workers: Workers) -> None:
        first = cut_off(workers, Seam("rebilling.sweep.write_rows", "after", 2))
        second = sweep(as_of=first.as_of, queue=workers.queue.product_queue, now=timezone.now())
        assert_all_charged_once(workers)
        over = first.started_at + datetime.timedelta(minutes=settings.REBILLING_DUE_MINUTES + 1)
        assert [found.status for found in reconcile(runs=[first, second], now=over)] == ["RECONCILED", "RECONCILED"]
