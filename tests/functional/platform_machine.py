"""A stateful test machine: everything that can happen to the platform, in any order. Hypothesis draws its rules."""

import contextlib
import datetime
import itertools
import sys
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from accounts.account_changes import change_account
from accounts.account_opening import AccountTerms, open_account
from accounts.billing_calendar import MAX_DUE_PERIODS, first_start_on_or_after
from accounts.errors import Conflict
from accounts.models import Account, Plan
from ledger.models import Entry, EntryType
from payments.models import OFFLINE, Payment, Refund
from rebilling.adjustments import grant_credit, reverse_entry
from rebilling.dunning import UnableToRetry, retry_payment
from rebilling.messages.message import RefundsMessage
from rebilling.models import Rebilling, Run
from rebilling.offline_payments import record_offline_payment
from rebilling.parked_periods import NotItsTurn, cancel_parked, release_parked, skip_parked
from rebilling.reconciliation.reconcile import open_runs, reconcile
from rebilling.refund_requests import NothingToRefund, left_to_refund, request_refund
from rebilling.run_review import cancel_run, release_run
from rebilling.sweep import DateInFuture, sweep, write_rows
from rebilling.write_offs import UnableToWriteOff, write_off
from subscriptions.lifecycle import close_account, reopen_account
from tests.builders import QueueInHand, a_plan, delivered, sent_again
from tests.support.kept_gateway import KeptGateway
from tests.support.soundness import Soundness, assert_nothing_was_missed

FIRST_DAY = datetime.date(2027, 12, 31)
MAX_ACCOUNTS = 5

SEAMS = [
    "rebilling.charges.post",
    "rebilling.charges.spendable_credit",
    "rebilling.charges.refresh_account_statuses",
    "rebilling.worker.submit_retries",
    "rebilling.worker.call_gateway",
    "rebilling.worker.record_payment_outcomes",
    "rebilling.payment_outcomes.write_payment_outcomes",
    "rebilling.payment_outcomes.schedule_retries",
    "rebilling.payment_outcomes.refresh_account_statuses",
    "payments.outcomes.post",
    "rebilling.worker.record_refund_outcomes",
    "rebilling.refund_outcomes.write_outcomes",
    "rebilling.refund_outcomes.post",
]
"""Where a delivery is cut off: before, within and after each of its transactions."""

ANSWERS = ["takes"] * 3 + ["declines"] * 2 + ["fails", "fails having taken", "does not know"]
REVERSED = ["charge", "charge", "credit", "credit", "write_off", "reversal", "payment"]
_positions = st.integers(0, 2**16)
_days = st.integers(0, 3) | st.integers(0, 40)
_answers = st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=3)


class Crash(Exception):
    """The process ends here."""


class PlatformMachine(RuleBasedStateMachine):
    """Its transaction is undone at the end of each example."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime.datetime.combine(FIRST_DAY, datetime.time(6), datetime.UTC)
        self.accounts: list[uuid.UUID] = []
        self.parked: list[uuid.UUID] = []
        self.owing: list[uuid.UUID] = []
        self.held: list[uuid.UUID] = []
        self.queue = QueueInHand()
        self.lost = False
        self.crowded = False
        self.done_with: list[str] = []
        self.gateway = KeptGateway()
        self.soundness = Soundness()
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.plans = [
            a_plan(interval_unit="day", unit_amount_minor=100),
            a_plan(),
            a_plan(interval_unit="week", unit_amount_minor=700),
            a_plan(unit_amount_minor=0),
            a_plan(trial_days=10, unit_amount_minor=500),
            a_plan(interval_count=3, currency="JPY", unit_amount_minor=5000),
        ]

    @property
    def today(self) -> datetime.date:
        return self.now.date()

    def teardown(self) -> None:
        try:
            # Not after a failure, which it would hide.
            if sys.exc_info()[0] is None:
                self.come_to_an_end()
        finally:
            transaction.set_rollback(True)
            self.undone.__exit__(None, None, None)

    # --- what clients and staff do ---

    @initialize(plan=_positions, since=st.integers(0, 40) | st.integers(36, 80))
    def open_three_accounts(self, plan: int, since: int) -> None:
        start = self.today - datetime.timedelta(days=since)
        self.open(self.plans[0], anchor_date=start, rebilling_date=start)
        self.open(self.plans[1])
        self.open(self.plans[plan % len(self.plans)])

    @precondition(lambda self: len(self.accounts) < MAX_ACCOUNTS)
    @rule(
        plan=_positions,
        anchored=st.integers(-400, 40),
        billed_from=st.none() | st.integers(0, 45),
        quantity=st.integers(1, 3),
    )
    def open_an_account_from_elsewhere(self, plan: int, anchored: int, billed_from: int | None, quantity: int) -> None:
        chosen = self.plans[plan % len(self.plans)]
        anchor, start = self.today + datetime.timedelta(days=anchored), None
        if billed_from is not None:
            since = self.today - datetime.timedelta(days=billed_from)
            start = first_start_on_or_after(anchor=anchor, interval=chosen.interval, day=since)
        self.open(chosen, anchor_date=anchor, rebilling_date=start, quantity=quantity)

    def open(self, plan: Plan, **terms: Any) -> None:
        number = str(len(self.accounts))
        chosen = AccountTerms(name=number, email="any@example.com", plan=plan.code, payment_customer=number, **terms)
        self.accounts.append(open_account(terms=chosen, author="test", today=self.today, now=self.now).id)

    @rule(which=_positions)
    def close_or_reopen(self, which: int) -> None:
        account_id = self.accounts[which % len(self.accounts)]
        close: Callable[..., Account] = close_account
        reopen: Callable[..., Account] = partial(reopen_account, today=self.today)
        inactive = Account.objects.get(id=account_id).status == "INACTIVE"
        change, other = (reopen, close) if inactive else (close, reopen)
        with pytest.raises(Conflict):
            other(account_id=account_id, reason="asked to", author="test", now=self.now)
        account = change(account_id=account_id, reason="asked to", author="test", now=self.now)
        if account.status != "INACTIVE":
            # It isn't charged for the time that it was closed.
            assert account.rebilling_date >= self.today

    @rule(which=_positions, quantity=st.integers(1, 3))
    def change_quantity(self, which: int, quantity: int) -> None:
        change_account(account_id=self.accounts[which % len(self.accounts)], changes={"quantity": quantity})

    @rule(which=_positions, amount_minor=st.sampled_from([1, 150, 1999, 10_000]))
    def credit(self, which: int, amount_minor: int) -> None:
        grant_credit(account_id=self.any_account(which), amount_minor=amount_minor, **self.signed)

    @rule(which=_positions, amount_minor=st.sampled_from([1, 150, 1999, 10_000]))
    def receive(self, which: int, amount_minor: int) -> None:
        record_offline_payment(
            account_id=self.any_account(which), amount_minor=amount_minor, reference="SEPA", **self.signed
        )

    @precondition(lambda self: self.owing)
    @rule(which=_positions, newest_only=st.booleans())
    def write_off(self, which: int, newest_only: bool) -> None:
        account_id = self.owing[which % len(self.owing)]
        unpaid = list(Rebilling.objects.filter(account=account_id, status="UNPAID").order_by("period_start"))
        chosen = unpaid[-1:] if newest_only else unpaid
        named = [row.charge_id for row in chosen if row.charge_id] if newest_only else None
        on_their_way = Payment.objects.filter(charge__rebilling__in=chosen, status__in=Payment.IN_FLIGHT)
        if on_their_way.exists():
            with pytest.raises(UnableToWriteOff):
                write_off(account_id=account_id, charge_ids=named, **self.signed)
            return
        entries = write_off(account_id=account_id, charge_ids=named, **self.signed)
        assert [entry.amount_minor for entry in entries] == [row.outstanding_minor for row in chosen]

    @precondition(lambda self: self.owing)
    @rule(which=_positions)
    def try_a_declined_payment_again(self, which: int) -> None:
        """The hourly check sends it."""
        declined = Payment.objects.filter(account=self.owing[which % len(self.owing)], status="DECLINED").last()
        if declined is not None:
            with contextlib.suppress(UnableToRetry):
                retry_payment(payment_id=declined.id, gateway=self.gateway.name, now=self.now)

    @rule(which=_positions, amount_minor=st.none() | st.sampled_from([1, 150, 1999]), sent=st.booleans())
    def refund(self, which: int, amount_minor: int | None, sent: bool) -> None:
        """A part of a payment, or all that is left of it. If its message isn't sent, the hourly check sends
        it."""
        payments = list(Payment.objects.filter(status="SUCCEEDED").order_by("id"))
        if not payments:
            return
        payment = payments[which % len(payments)]
        left = left_to_refund(payment)
        asked = amount_minor or left or 1
        if asked > left:
            with pytest.raises(NothingToRefund):
                request_refund(payment_id=payment.id, amount_minor=asked, **self.signed)
            return
        refund = request_refund(payment_id=payment.id, amount_minor=asked, **self.signed)
        if sent and refund.status == "SUBMITTED":
            self.queue.send([RefundsMessage(refunds=(refund.id,))])

    @property
    def signed(self) -> dict[str, Any]:
        return {"reason": "looked into", "author": "test", "today": self.today, "now": self.now}

    def any_account(self, which: int) -> uuid.UUID:
        return self.accounts[which % len(self.accounts)]

    @rule(back=st.integers(0, 3), type_=st.sampled_from(REVERSED))
    def reverse_one_of_the_newest(self, back: int, type_: str) -> None:
        entries = list(Entry.objects.filter(type=type_).order_by("-id")[: back + 1])
        if not entries:
            return
        entry = entries[-1]
        count = Entry.objects.count()
        try:
            reverse_entry(entry_id=entry.id, **self.signed)
        except Conflict:
            assert Entry.objects.count() == count
            return
        assert Entry.objects.count() == count + 1
        if entry.type == EntryType.REVERSAL:
            self.soundness.restored.add(entry.account_id)

    @precondition(lambda self: self.parked)
    @rule(which=_positions, release=st.booleans())
    def decide_about_a_parked_period(self, which: int, release: bool) -> None:
        parked = Rebilling.objects.get(id=self.parked[which % len(self.parked)])
        earlier = Rebilling.objects.filter(account=parked.account_id, period_start__lt=parked.period_start)
        decision: dict[str, Any] = {"rebilling_id": parked.id, "reason": "right", "author": "test", "now": self.now}
        if release:
            release_parked(**decision)
        elif earlier.filter(status__in=["DUE", "PARKED"]).exists():
            # The account would come to it after those, and charge it.
            with pytest.raises(NotItsTurn):
                skip_parked(**decision)
            assert Rebilling.objects.get(id=parked.id).status == "PARKED"
        else:
            skip_parked(**decision)

    # --- what time and the schedules do ---

    def days_pass(self, days: int) -> None:
        """Until six in the morning; with no day passed it is later on the same one.

        Time never goes back: leases taken in what was then the future would outlast any number of deliveries.
        """
        morning = datetime.datetime.combine(self.today + datetime.timedelta(days), datetime.time(6), datetime.UTC)
        self.now = max(self.now, morning)

    @rule(days=_days, answers=_answers)
    def days_pass_and_all_goes_its_way(self, days: int, answers: list[str]) -> None:
        self.days_pass(days)
        self.sweep()
        for body in self.queue.take():
            self.process(body, answers=answers)

    @rule(days=_days, times=st.integers(1, 2))
    def days_pass_and_a_sweep_runs(self, days: int, times: int) -> None:
        self.days_pass(days)
        for _ in range(times):
            self.sweep()

    @rule()
    def sweep_is_cut_off_before_it_sends(self) -> None:
        with mock.patch("rebilling.sweep.send_due", side_effect=Crash), pytest.raises(Crash):
            self.sweep()

    @rule(batches=st.integers(1, 3))
    def sweep_is_cut_off_while_it_writes(self, batches: int) -> None:
        """Its open transaction is rolled back; what it wrote before stays, and hasn't been through the volume check."""
        written = itertools.count(1)

        def write_or_crash(rows: list[Rebilling]) -> None:
            if next(written) == batches:
                raise Crash
            write_rows(rows)

        with (
            mock.patch("rebilling.sweep.BATCH_ACCOUNTS", 1),
            mock.patch("rebilling.sweep.write_rows", write_or_crash),
            contextlib.suppress(Crash),
        ):
            self.sweep()

    @rule(days=st.integers(1, 3) | st.integers(1, 36525))
    def sweep_of_a_mistyped_date_is_refused(self, days: int) -> None:
        runs, rows = Run.objects.count(), Rebilling.objects.count()
        with pytest.raises(DateInFuture):
            sweep(as_of=self.today + datetime.timedelta(days=days), queue=self.queue, now=self.now)
        assert (Run.objects.count(), Rebilling.objects.count()) == (runs, rows)

    @rule(days=st.integers(1, 40) | st.integers(300, 400))
    def sweep_of_a_day_gone_by(self, days: int) -> None:
        """It does no harm: it finds what was due by then."""
        sweep(as_of=self.today - datetime.timedelta(days=days), queue=self.queue, now=self.now)

    @rule()
    def sweep_is_checked_against_small_limits(self) -> None:
        """So that it is held as soon as it finds more than one period."""
        before = len(self.queue.bodies)
        with override_settings(VOLUME_CHECK_SMALL_RUN=0, VOLUME_CHECK_MULTIPLE=1, VOLUME_CHECK_FIRST_PERIODS=1):
            self.sweep()
        if Run.objects.latest("id").status == "HELD":
            assert len(self.queue.bodies) == before

    @precondition(lambda self: self.held)
    @rule(which=_positions, release=st.booleans())
    def decide_about_a_held_run(self, which: int, release: bool) -> None:
        run_id = self.held[which % len(self.held)]
        decision: dict[str, Any] = {"run_id": run_id, "reason": "looked into", "author": "test", "now": self.now}
        if release:
            # Sent once it is committed, which nothing is here: by the hourly check.
            release_run(queue=self.queue, **decision)
        else:
            cancel_run(**decision)
            assert not Rebilling.objects.filter(run_id=run_id, status__in=["DUE", "PARKED"]).exists()

    @precondition(lambda self: self.parked)
    @rule(which=_positions)
    def cancel_the_parked_periods_of_a_run(self, which: int) -> None:
        run = Rebilling.objects.get(id=self.parked[which % len(self.parked)]).run
        cancel_parked(run_id=run.id, reason="looked into", author="test", now=self.now)
        assert not Rebilling.objects.filter(run=run, status="PARKED").exists()

    def sweep(self) -> None:
        # Of an account with more than 36 due periods the others have no row until later sweeps find them.
        long_ago = self.today - datetime.timedelta(days=MAX_DUE_PERIODS)
        self.crowded |= Account.objects.filter(plan=self.plans[0], rebilling_date__lte=long_ago).exists()
        sweep(as_of=self.today, queue=self.queue, now=self.now)

    @rule(minutes=st.integers(1, 120))
    def reconcile_hourly(self, minutes: int) -> None:
        self.minutes_pass(minutes)
        sent_again(queue=self.queue, now=self.now)
        late = self.now - datetime.timedelta(minutes=60)
        for found in reconcile(runs=open_runs(), now=self.now):
            # Nothing but what a lost message, or one not delivered yet, left behind.
            behind = Rebilling.objects.filter(run_id=found.run_id, status="DUE", due_since__lte=late)
            waiting = 0 if found.status == "HELD" else behind.count()
            assert found.unexplained.periods == waiting or self.crowded

    # --- what the queue and the gateway do ---

    @precondition(lambda self: self.queue.bodies)
    @rule(which=_positions, answers=_answers, in_time=st.sampled_from([True, True, True, False]))
    def deliver(self, which: int, answers: list[str], in_time: bool) -> None:
        self.process(self.any_message(which), answers=answers, seconds_left=900 if in_time else 10)

    @precondition(lambda self: self.done_with)
    @rule(which=_positions, answers=_answers)
    def deliver_again(self, which: int, answers: list[str]) -> None:
        self.process(self.done_with[which % len(self.done_with)], answers=answers)

    @precondition(lambda self: self.queue.bodies)
    @rule(which=_positions, seam=st.sampled_from(SEAMS), answers=_answers)
    def cut_a_delivery_off(self, which: int, seam: str, answers: list[str]) -> None:
        """What the process did until then stays, and the message comes back."""
        with mock.patch(seam, side_effect=Crash):
            self.process(self.any_message(which), answers=answers)

    @precondition(lambda self: self.queue.bodies)
    @rule(which=_positions)
    def lose_a_message(self, which: int) -> None:
        self.any_message(which)
        self.lost = True

    def any_message(self, which: int) -> str:
        return self.queue.bodies.pop(which % len(self.queue.bodies))

    # --- what holds ---

    @invariant()
    def is_sound(self) -> None:
        self.soundness.check()
        self.minutes_pass(1)
        for_a_person = Rebilling.objects.filter(status__in=["PARKED", "UNPAID"]).order_by("id")
        found = list(for_a_person.values_list("id", "account_id", "status"))
        self.parked = [id_ for id_, _, status in found if status == "PARKED"]
        self.held = list(Run.objects.filter(status="HELD").order_by("id").values_list("id", flat=True))
        self.owing = sorted({account_id for _, account_id, status in found if status == "UNPAID"})
        # The gateway's own books: money was taken for each payment that succeeded, and for none that was declined.
        assert self.gateway.contradicted == []
        for payment in Payment.objects.exclude(status__in=Payment.IN_FLIGHT).exclude(gateway=OFFLINE):
            expected = payment.amount_minor if payment.status == "SUCCEEDED" else None
            assert self.gateway.taken.get(payment.id) == expected
        for refund in Refund.objects.exclude(status__in=Refund.IN_FLIGHT).exclude(gateway=OFFLINE):
            expected = refund.amount_minor if refund.status == "SUCCEEDED" else None
            assert self.gateway.sent.get(refund.id) == expected

    def come_to_an_end(self) -> None:
        """Whatever happened: swept, sent again and delivered, everything is explained, and nothing was missed."""
        self.deliver_all()
        for run_id in self.held:
            release_run(run_id=run_id, reason="right", author="test", now=self.now, queue=self.queue)
        self.minutes_pass(120)
        sent_again(queue=self.queue, now=self.now)
        self.deliver_all()
        assert not Rebilling.objects.filter(status="DUE").exists()
        # What a message carries after its charge is on nothing but that message, and lost with it.
        assert self.lost or not Payment.objects.filter(status="SUBMITTED").exists()
        # What was put off by more than 36 periods takes a sweep each time, and a person.
        self.sweep()
        self.deliver_all()
        self.is_sound()
        assert_nothing_was_missed(as_of=self.today)
        # Every outcome is known, but where a person is needed; and no retry that has come was left out.
        assert not Payment.objects.filter(status="UNKNOWN", needs_review=False).exists()
        assert not Rebilling.objects.filter(retry_on__lte=self.today).exists()
        assert not Refund.objects.filter(status__in=Refund.IN_FLIGHT, needs_review=False).exists()
        self.minutes_pass(120)
        for found in reconcile(runs=list(Run.objects.order_by("id")), now=self.now):
            assert (found.unexplained.periods, found.waiting) == (0, 0)
            assert found.due.periods == found.charged.periods + found.skipped.periods + found.parked.periods
        assert not Run.objects.filter(status="OPEN", swept_at__isnull=False).exists()

    def deliver_all(self) -> None:
        """In as many rounds as a message may come back: for what another delivery leased, or an earlier period."""
        for _ in range(10):
            for body in self.queue.take():
                self.process(body, answers=["takes"])
        assert self.queue.bodies == []

    def process(self, body: str, *, answers: list[str], seconds_left: float = 900) -> None:
        """Deliver a message; one that failed goes back to the queue. Each takes its time, so that leases end."""
        self.minutes_pass(1)
        self.gateway.answers = answers
        failed = delivered(
            bodies=[body],
            today=self.today,
            gateway=self.gateway,
            queue=self.queue,
            seconds_left=seconds_left,
            now=self.now,
        )
        (self.queue.bodies if failed else self.done_with).append(body)

    def minutes_pass(self, minutes: int) -> None:
        self.now += datetime.timedelta(minutes=minutes)
