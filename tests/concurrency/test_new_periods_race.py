"""Periods that begin today, billed at once: raced against sweeps, messages, sign-ups and each other."""

import datetime
import random
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from accounts.account_opening import NewAccount
from accounts.errors import Conflict
from accounts.models import Account
from invoices.models import Invoice
from payments.messages import dispatch
from payments.models import Payment
from rebilling.books import discrepancies
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.reconcile import open_runs, reconcile
from rebilling.reconciliation.summary import reconciliations_of
from subscriptions.agreed_terms import TermsChanges
from subscriptions.lifecycle import close_account, reopen_account
from subscriptions.pauses import pause_account, resume_account
from subscriptions.sign_up import sign_up
from subscriptions.terms_changes import change_terms
from subscriptions.trials import move_trial_end
from tests.builders import TODAY, QueueInHand, a_plan, an_account, at, billed, delivered, swept
from tests.support.databases import committed
from tests.support.workers.threads import Gate, all_meet_before, threads, wrapped

JAN_10 = datetime.date(2026, 1, 10)
FEB_10 = datetime.date(2026, 2, 10)

pytestmark = committed


def signed(day: datetime.date) -> dict[str, Any]:
    return {"reason": "as agreed", "author": "ann", "today": day, "now": at(day)}


def paid() -> Account:
    account = an_account(plan=a_plan())
    billed(as_of=TODAY)
    return account


def reopening() -> Callable[[], object]:
    account = paid()
    close_account(account_id=account.id, **signed(JAN_10))
    return partial(reopen_account, account_id=account.id, **signed(FEB_10))


def resuming() -> Callable[[], object]:
    account = paid()
    pause_account(account_id=account.id, at="now", **signed(JAN_10))
    return partial(resume_account, account_id=account.id, **signed(FEB_10))


def ending_a_trial() -> Callable[[], object]:
    account = an_account(plan=a_plan(trial_days=60))
    return partial(move_trial_end, account_id=account.id, ends_on=FEB_10, **signed(FEB_10))


def beginning_anew() -> Callable[[], object]:
    account = paid()
    billed(as_of=datetime.date(2026, 2, 1))
    changes = TermsChanges(anchor_date=FEB_10)
    return partial(change_terms, account_id=account.id, changes=changes, **signed(FEB_10))


BEGINNINGS = [reopening, resuming, ending_a_trial, beginning_anew]


def begun() -> list[Rebilling]:
    return list(Rebilling.objects.filter(period_start=FEB_10, status="CHARGED"))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> QueueInHand:
    """What is sent when something is committed."""
    queue = QueueInHand()
    monkeypatch.setattr(dispatch, "configured_queue", lambda: queue)
    return queue


def assert_billed_once(sent: QueueInHand, *, periods: int = 1) -> None:
    """Each that began that day has one row of the on-demand run, one invoice and one payment, which was sent; a sweep
    adds nothing.
    """
    assert len(sent.payments) == periods
    assert delivered(bodies=sent.take(), today=FEB_10, queue=sent) == []
    for _ in range(2):
        rows = begun()
        assert len({row.account_id for row in rows}) == len(rows) == periods
        assert {row.run.kind for row in rows} == {"on_demand"}
        assert Invoice.objects.filter(issued_on=FEB_10).count() == periods
        assert Payment.objects.filter(invoice__issued_on=FEB_10, status="SUCCEEDED").count() == periods
        billed(as_of=FEB_10)
    assert discrepancies() == []
    found = reconciliations_of(runs=Run.objects.order_by("id"), now=at(FEB_10) + datetime.timedelta(days=2))
    assert [run for run in found if not run.clean] == []


class TestASweep:
    @pytest.mark.parametrize("beginning", BEGINNINGS)
    @pytest.mark.parametrize(
        "held_at",
        [
            "subscriptions.new_periods.bill_today",
            "rebilling.on_demand_billing.write_rows",
            "rebilling.invoice_periods.issue_invoices",
            "subscriptions.new_periods.send_payments_when_committed",
        ],
    )
    def test_before_it_is_committed_waits_or_finds_nothing(
        self, sent: QueueInHand, beginning: Callable[[], Callable[[], object]], held_at: str
    ) -> None:
        begin, gate, queue = beginning(), Gate(), QueueInHand()

        def hold(original: Any, *args: Any, **kwargs: Any) -> Any:
            gate.pass_through()
            return original(*args, **kwargs)

        with wrapped(held_at, hold), threads() as start:
            beginning_now = start(begin)
            gate.wait_for_somebody()
            sweeping = start(partial(swept, as_of=FEB_10, queue=queue))
            gate.open()
            beginning_now.result()
            assert sweeping.result().rebillings.count() == 0
        assert delivered(bodies=queue.take(), today=FEB_10) == []
        assert_billed_once(sent)


class TestTheSameTwice:
    @pytest.mark.parametrize("beginning", BEGINNINGS)
    def test_at_once_is_done_once(self, sent: QueueInHand, beginning: Callable[[], Callable[[], object]]) -> None:
        begin, barrier = beginning(), threading.Barrier(3)

        def run() -> bool:
            barrier.wait()
            try:
                begin()
            except Conflict:
                return False
            return True

        with threads() as start:
            racing = [start(run) for _ in range(3)]
        assert sum(race.result() for race in racing) == 1
        assert_billed_once(sent)


class TestOfManyAccounts:
    def test_with_sign_ups_sweeps_and_the_hourly_check_do_not_deadlock(self, sent: QueueInHand) -> None:
        """Each takes the day's run last, one after the other, however they come."""
        a_plan(code="pro")
        new = NewAccount(name="Ada", email="ada@example.com", plan="pro")
        work = [beginning() for beginning in BEGINNINGS for _ in range(3)]
        work += [partial(sign_up, new=new, author="ann", today=FEB_10, now=at(FEB_10)) for _ in range(4)]
        others: list[Callable[[], object]] = [
            partial(swept, as_of=FEB_10, queue=QueueInHand()),
            lambda: reconcile(runs=open_runs(), now=at(FEB_10)),
        ]
        mixed = work + others * 3
        random.Random(7).shuffle(mixed)
        with threads() as start:
            racing = [start(each) for each in mixed]
        for race in racing:
            race.result()
        assert_billed_once(sent, periods=len(work))

    def test_meet_at_the_days_first_place_and_there_is_one_run(self, sent: QueueInHand) -> None:
        work = [beginning() for beginning in BEGINNINGS]
        with all_meet_before("rebilling.on_demand_billing.lock_run_of_the_day", parties=len(work)), threads() as start:
            racing = [start(each) for each in work]
        for race in racing:
            race.result()
        assert Run.objects.filter(kind="on_demand").count() == 1
        assert_billed_once(sent, periods=len(work))
