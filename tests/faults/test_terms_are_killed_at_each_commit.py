"""A change of terms, the daily run and the worker are killed at each commit, before and after it; made up for, each day
is billed once.
"""

import datetime
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from accounts.billing_day import billing_day
from accounts.models import Account, Plan, Terms
from invoices.models import Invoice
from payments.models import Payment
from rebilling.books import discrepancies
from rebilling.models import Rebilling
from rebilling.reconciliation.missing_periods import missing_periods
from subscriptions.agreed_terms import TermsChanges
from subscriptions.daily_run import run_day
from subscriptions.terms_changes import change_terms
from tests.builders import a_plan, an_account
from tests.support.billed_days import assert_each_day_is_billed_once
from tests.support.databases import committed
from tests.support.workers.processes import Seam, Workers, workers_on_a_queue
from tests.support.workers.terms_orders import DONE, start

COMMIT = "django.db.backends.base.base.BaseDatabaseWrapper._commit"
KILLED = -9
MAX_COMMITS = 30
DAY = datetime.timedelta(days=1)

CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "up": ({"plan": "dear"}, "now"),
    "down": ({"plan": "cheap"}, "now"),
    "interval": ({"plan": "weekly"}, "now"),
    "at_period_end": ({"quantity": 2}, "period_end"),
}

pytestmark = [committed, pytest.mark.fault]


@pytest.fixture(scope="module")
def module_workers(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    # No waiting: a message comes back at once, a lease is over as soon as it is taken, leftovers are sent at once.
    settings = {
        "PAYMENT_LEASE_SECONDS": "0",
        "PAYMENT_GATEWAY_TIMEOUT_SECONDS": "-1.5",
        "REBILLING_RESEND_MINUTES": "0",
    }
    with workers_on_a_queue(tmp_path_factory.mktemp("workers"), settings | {"VOLUME_CHECK_MULTIPLE": "0"}) as workers:
        yield workers


@pytest.fixture
def platform(workers: Workers, transactional_db: None, tmp_path: Path) -> "Platform":
    for code, price, unit in (("pro", 3100, "month"), ("dear", 5900, "month"), ("cheap", 700, "month")):
        a_plan(code=code, unit_amount_minor=price, interval_unit=unit)
    a_plan(code="weekly", unit_amount_minor=900, interval_unit="week")
    now = timezone.now()
    return Platform(workers, tmp_path / "answer", now, billing_day(now))


@dataclass
class Platform:
    """Ten days ago a month of 31.00 began."""

    workers: Workers
    answer: Path
    now: datetime.datetime
    today: datetime.date

    @property
    def since(self) -> datetime.date:
        return self.today - 10 * DAY

    def account(self, *, paid: bool = True) -> Account:
        opened = self.now - datetime.timedelta(hours=2)
        plan = Plan.objects.get(code="pro")
        made = an_account(plan=plan, today=self.today, now=opened, anchor_date=self.since, rebilling_date=self.since)
        if paid:
            run_day(as_of=self.today, queue=self.workers.queue.product_queue, now=self.now)
            self.drain()
        return made

    def drain(self) -> None:
        if self.workers.queue.on_its_way:
            assert self.workers.run("process_queue", "--until-empty") == 0, self.workers.log.read_text()[-4000:]
        assert self.workers.queue.on_its_way == 0

    def change(self, account: Account, kind: str, *, seam: Seam | None = None) -> int:
        to, effective = CHANGES[kind]
        order = {"account": str(account.id), "answer": str(self.answer), "to": to, "effective": effective}
        return start(self.workers, order=order, seam=seam).wait()

    def moves_today(self, account: Account) -> None:
        """Agreed yesterday: its periods begin today."""
        change_terms(
            account_id=account.id,
            changes=TermsChanges(anchor_date=self.today),
            effective=self.today,
            reason="asked for",
            author="test",
            today=self.today - DAY,
            now=self.now,
        )

    def sweep(self, *, seam: Seam | None = None) -> int:
        return self.workers.run("sweep", "--as-of", str(self.today), seam=seam)

    def assert_made_up_for(self, *accounts: Account) -> None:
        """Whatever was killed: the hourly check, the next daily run, and their messages."""
        for command in (("reconcile",), ("sweep", "--as-of", str(self.today)), ("reconcile",)):
            assert self.workers.run(*command) == 0, self.workers.log.read_text()[-4000:]
            self.drain()
        for account in accounts:
            assert_each_day_is_billed_once(account, since=self.since)
        assert discrepancies() == []
        assert list(missing_periods(as_of=self.today)) == []
        assert not Invoice.objects.filter(in_flight=True).exists()
        assert not Rebilling.objects.filter(status__in=["DUE", "PARKED"]).exists()
        paid = Payment.objects.filter(status="SUCCEEDED").values_list("id", "amount_minor")
        assert self.workers.book.taken == {str(id_): amount for id_, amount in paid}
        assert Payment.objects.count() == len(paid)


def killed_at_each_commit(run: Callable[[Seam], int]) -> Iterator[Seam]:
    """Has `run` killed before and after its first commit, its second one and so on, until it has no further one."""
    for when in ("before", "after"):
        for nth in itertools.count(1):
            assert nth <= MAX_COMMITS
            seam = Seam(COMMIT, when, nth)
            ended = run(seam)
            if ended != KILLED:
                assert (ended, nth > 1) == (0, True), f"{seam}: {ended}"
                break
            yield seam


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_is_killed(platform: Platform, kind: str) -> None:
    accounts: list[Account] = []

    def run(seam: Seam) -> int:
        accounts.append(platform.account())
        return platform.change(accounts[-1], kind, seam=seam)

    for seam in killed_at_each_commit(run):
        made = Terms.objects.filter(account=accounts[-1]).count() == 2
        assert made == (seam.when == "after")
        if not made:
            assert platform.change(accounts[-1], kind) == 0
            assert platform.answer.read_text() == DONE
    platform.assert_made_up_for(*accounts)


def test_the_daily_run_is_killed_that_cuts_a_period(platform: Platform) -> None:
    accounts: list[Account] = []

    def run(seam: Seam) -> int:
        accounts.append(platform.account())
        platform.moves_today(accounts[-1])
        return platform.sweep(seam=seam)

    for _ in killed_at_each_commit(run):
        assert platform.sweep() == 0
        platform.drain()
    platform.assert_made_up_for(*accounts)
    assert Terms.objects.filter(cuts_period=True, cut_at__isnull=False).count() == len(accounts)


def test_the_worker_is_killed_that_collects_what_a_change_bills(platform: Platform) -> None:
    accounts: list[Account] = []

    def run(seam: Seam) -> int:
        accounts.append(platform.account())
        assert platform.change(accounts[-1], "up") == 0
        assert platform.answer.read_text() == DONE
        return platform.workers.run("process_queue", "--max-messages", "1", seam=seam)

    for _ in killed_at_each_commit(run):
        platform.drain()
    platform.assert_made_up_for(*accounts)


def test_the_worker_is_killed_that_charges_a_period_before_its_change(platform: Platform) -> None:
    accounts: list[Account] = []

    def run(seam: Seam) -> int:
        accounts.append(platform.account(paid=False))
        assert platform.sweep() == 0
        return platform.workers.run("process_queue", "--max-messages", "1", seam=seam)

    for _ in killed_at_each_commit(run):
        # In the middle of it, it is refused, or waits.
        assert platform.change(accounts[-1], "up") == 0
        platform.drain()
        if platform.answer.read_text() != DONE:
            assert platform.change(accounts[-1], "up") == 0
            assert platform.answer.read_text() == DONE
        platform.drain()
    platform.assert_made_up_for(*accounts)
