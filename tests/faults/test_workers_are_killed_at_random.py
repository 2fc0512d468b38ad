"""SIGKILL of worker processes at random moments of a long run, and delivery again until the queue is empty.

`FAULT_SEED` repeats a run's choices, `FAULT_KILLS` and `FAULT_ACCOUNTS` make it longer.
"""

import datetime
import io
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pytest
from django.db.models import Count
from django.utils import timezone

from accounts.billing_day import billing_day
from accounts.models import Account, AccountChange
from invoices.models import Invoice, InvoiceLine
from ledger.balances import book_totals
from ledger.models import Entry
from payments.models import Payment
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.reconcile import reconcile
from rebilling.reconciliation.summary import Tally
from rebilling.sweep import sweep
from subscriptions.imports.import_accounts import import_accounts
from tests.builders import a_plan
from tests.support.databases import committed
from tests.support.workers.processes import Worker, Workers, worker_processes
from tests.support.workers.queues import local_queue
from tests.support.workers.waiting import wait_until

KILLS = int(os.environ.get("FAULT_KILLS", "20"))
ACCOUNTS = int(os.environ.get("FAULT_ACCOUNTS", "2000"))
BATCH = 80
"""Periods in a message: few enough that each kill meets a batch that isn't done yet."""
MAX_PAIRS = 2 * KILLS
SOONER = 0.8
"""What a worker that ended before its moment makes of the later ones': the machine is faster than it was measured."""
KILLED = -9
ONE_MESSAGE = ("process_queue", "--max-messages", "1")


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    # A killed worker's message comes back after two seconds, when the lease that it took is over.
    settings = {"PAYMENT_LEASE_SECONDS": "1", "PAYMENT_GATEWAY_TIMEOUT_SECONDS": "0", "PROVIDER_SECONDS": "0.002"}
    with (
        local_queue(visibility_timeout_seconds=2) as queue,
        worker_processes(queue=queue, folder=tmp_path, **settings) as running,
    ):
        yield running


@committed
@pytest.mark.fault
class TestWorkersAreKilledAtRandom:
    def test_and_each_period_is_charged_and_paid_once(self, workers: Workers) -> None:
        seed = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(10**9))
        print(f"FAULT_SEED={seed}")  # noqa: T201 - shown when the test fails
        today = billing_day(timezone.now())
        open_accounts(today=today)
        with mock.patch("rebilling.messages.dispatch.MAX_ITEMS", BATCH):
            run = sweep(as_of=today, queue=workers.queue.product_queue, now=timezone.now())
        assert workers.queue.visible == ACCOUNTS // BATCH
        kill_at_random(workers, random.Random(seed))
        workers.work_off_the_queue(workers=2)
        assert_charged_and_paid_once(workers, run)


def open_accounts(*, today: datetime.date) -> None:
    plan = a_plan(interval_unit="week", unit_amount_minor=1000)
    rows = [f"A{number},Customer {number},a{number}@example.com,{plan.code},{today}" for number in range(ACCOUNTS)]
    lines = ["external_reference,name,email,plan,anchor_date", *rows]
    import_accounts(file=io.BytesIO("\n".join(lines).encode()), as_of=today, author="test", now=timezone.now())


def kill_at_random(workers: Workers, choices: random.Random) -> None:
    """Kills workers, two at work at any time, each at a moment between the receipt of a message and the end of it."""
    whole = max(seconds_undisturbed(workers) for _ in range(2))
    killed = 0
    for _ in range(MAX_PAIRS):
        pair = Pair(
            [workers.start(*ONE_MESSAGE) for _ in range(2)], [choices.uniform(0, 1.5 * whole) for _ in range(2)]
        )
        wait_until(pair.struck, pause=0.001)
        killed_now = sum(worker.wait() == KILLED for worker in pair.workers)
        whole *= SOONER ** (len(pair.workers) - killed_now)
        killed += killed_now
        if killed >= KILLS:
            return
    raise AssertionError(f"only {killed} workers were killed in {MAX_PAIRS} pairs")


@dataclass
class Pair:
    """Two workers, and how long after the receipt of a message each is killed, in seconds."""

    workers: list[Worker]
    delays: list[float]
    _moments: dict[Worker, float] = field(default_factory=dict)
    _struck: set[Worker] = field(default_factory=set)

    def struck(self) -> bool:
        """Kills the one whose moment has come. Says whether both have been killed, or ended before."""
        for worker, delay in zip(self.workers, self.delays, strict=True):
            if worker in self._struck or not worker.begun:
                continue
            if self._moments.setdefault(worker, time.monotonic() + delay) <= time.monotonic():
                worker.kill()
                self._struck.add(worker)
        return len(self._struck) == len(self.workers)


def seconds_undisturbed(workers: Workers) -> float:
    """What a message takes on this machine, so that the moments spread over all of it."""
    worker = workers.start(*ONE_MESSAGE)
    wait_until(lambda: worker.begun, pause=0.001)
    began = time.monotonic()
    assert worker.wait() == 0
    return time.monotonic() - began


def assert_charged_and_paid_once(workers: Workers, run: Run) -> None:
    week = run.as_of + datetime.timedelta(days=7)
    assert Counter(Rebilling.objects.values_list("status", "period_start")) == {("CHARGED", run.as_of): ACCOUNTS}
    assert Counter(Invoice.objects.values_list("status", "paid_minor")) == {("PAID", 1000): ACCOUNTS}
    assert InvoiceLine.objects.values("rebilling_id").distinct().count() == InvoiceLine.objects.count() == ACCOUNTS
    assert Rebilling.objects.values("account").distinct().count() == ACCOUNTS
    assert Counter(Entry.objects.values_list("type", "amount_minor")) == {
        ("charge", 1000): ACCOUNTS,
        ("payment", 1000): ACCOUNTS,
    }
    of_each = Account.objects.annotate(count=Count("entries")).values_list("count", "status", "rebilling_date")
    assert Counter(of_each) == {(2, "ACTIVE", week): ACCOUNTS}
    assert AccountChange.objects.count() == ACCOUNTS
    assert Counter(Payment.objects.values_list("status", "amount_minor")) == {("SUCCEEDED", 1000): ACCOUNTS}
    assert Payment.objects.values("invoice").distinct().count() == ACCOUNTS
    taken = {str(id_): 1000 for id_ in Payment.objects.values_list("id", flat=True)}
    assert workers.book.taken == taken
    (found,) = reconcile(runs=[run], now=timezone.now())
    assert (found.status, found.due, found.charged) == (
        "RECONCILED",
        Tally(ACCOUNTS, {"USD": 1000 * ACCOUNTS}),
        Tally(ACCOUNTS, {"USD": 1000 * ACCOUNTS}),
    )
    assert found.payments == {"succeeded": ACCOUNTS, "declined": 0, "unknown": 0, "submitted": 0}
    assert {book: total for book, total in book_totals()["USD"].items() if total} == {
        "cash": 1000 * ACCOUNTS,
        "revenue": -1000 * ACCOUNTS,
    }
