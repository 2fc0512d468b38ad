"""The same message, ten times, in four worker processes at once."""

import datetime
from collections import Counter
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.billing_day import billing_day
from accounts.models import Account
from invoices.models import Invoice
from ledger.balances import book_totals
from ledger.models import Entry
from payments.models import Payment
from rebilling.models import Rebilling
from rebilling.reconciliation.summary import reconciliation_of
from rebilling.sweep import sweep
from tests.builders import QueueInHand, a_plan, an_account
from tests.support.databases import committed
from tests.support.workers.processes import worker_processes
from tests.support.workers.queues import local_queue

ACCOUNTS = 30
SHARES = ["3", "3", "2", "2"]
"""How many of the ten each worker takes."""


@committed
@pytest.mark.fault
class TestOneMessageDeliveredTenTimes:
    def test_in_four_parallel_workers_charges_once(self, tmp_path: Path) -> None:
        today = billing_day(timezone.now())
        plan = a_plan(interval_unit="week", unit_amount_minor=1000)
        for _ in range(ACCOUNTS):
            an_account(plan=plan, today=today)
        sent = QueueInHand()
        run = sweep(as_of=today, queue=sent, now=timezone.now())
        (body,) = sent.bodies
        # The provider takes its time, so that payments are on their way while the other copies are worked on.
        settings = {"PAYMENT_LEASE_SECONDS": "30", "PROVIDER_SECONDS": "0.15"}
        with (
            local_queue(visibility_timeout_seconds=1) as queue,
            worker_processes(queue=queue, folder=tmp_path, **settings) as workers,
        ):
            queue.send(body, times=10)
            four = [workers.start("process_queue", "--max-messages", share) for share in SHARES]
            exits = [worker.wait() for worker in four]
            # One copy collected the payments; those that came meanwhile failed, to come again.
            assert exits.count(1) >= 1
            assert queue.on_its_way >= 1
            workers.work_off_the_queue()
            assert queue.dead == 0
            assert len(workers.book.taken) == ACCOUNTS
            assert workers.book.calls.total() == ACCOUNTS
        assert Counter(Rebilling.objects.values_list("status", flat=True)) == {"CHARGED": ACCOUNTS}
        assert Counter(Invoice.objects.values_list("status", flat=True)) == {"PAID": ACCOUNTS}
        assert Counter(Entry.objects.values_list("type", flat=True)) == {"charge": ACCOUNTS, "payment": ACCOUNTS}
        assert Counter(Payment.objects.values_list("status", flat=True)) == {"SUCCEEDED": ACCOUNTS}
        ends = Counter(Account.objects.values_list("status", "rebilling_date"))
        assert ends == {("ACTIVE", today + datetime.timedelta(days=7)): ACCOUNTS}
        cents = 1000 * ACCOUNTS
        assert {book: total for book, total in book_totals()["USD"].items() if total} == {
            "cash": cents,
            "revenue": -cents,
        }
        found = reconciliation_of(run=run, now=timezone.now())
        assert (found.due.periods, found.charged.periods, found.payments["succeeded"]) == (ACCOUNTS,) * 3
        assert found.clean
