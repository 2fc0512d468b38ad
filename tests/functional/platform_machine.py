"""A stateful test machine: everything that can happen to the platform, in any order. Hypothesis draws its rules.

What clients and staff do is in `people_machine.py`; here are time, schedules, the queue, and the gateway.
"""

import contextlib
import datetime
import itertools
import uuid
from typing import Any
from unittest import mock

import pytest
from django.db import connection
from django.db.models import F
from django.test import override_settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from accounts.billing_calendar import MAX_DUE_PERIODS
from accounts.models import Account
from accounts.terms import terms_of
from invoices.models import Invoice
from ledger.balances import book_totals
from ledger.models import Entry
from payments.models import OFFLINE, Payment, Refund
from rebilling.models import Rebilling, Run
from rebilling.parked_periods import NotItsTurn, cancel_parked, release_parked, skip_parked
from rebilling.period_rows import write_rows
from rebilling.reconciliation.reconcile import open_runs, reconcile
from rebilling.run_review import cancel_run, release_run
from rebilling.sweep import DateInFuture
from subscriptions.daily_run import run_day
from tests.builders import delivered, sent_again
from tests.functional.people_machine import PeopleMachine, positions
from tests.support.soundness import assert_nothing_was_missed

SEAMS = [
    "rebilling.invoice_periods.issue_invoices",
    "payments.first_attempts.record_attempts",
    "rebilling.invoice_periods.save_accounts",
    "invoices.issuance.post",
    "rebilling.worker.call_gateway",
    "rebilling.worker.record_payment_outcomes",
    "payments.payment_outcomes.write_outcomes",
    "payments.payment_outcomes.post",
    "payments.payment_outcomes.refresh_accounts",
    "payments.dunning.record_attempts",
    "rebilling.worker.send_payments",
    "rebilling.worker.record_refund_outcomes",
    "payments.refund_outcomes.write_outcomes",
    "payments.refund_outcomes.post",
    "payments.refund_outcomes.refresh_accounts",
]
"""Where a delivery is cut off: before, within and after each of its transactions."""

ANSWERS = [
    *(["takes"] * 4 + ["declines"] * 3),
    *(
        "declines for good",
        "finds it too small",
        "fails",
        "fails having taken",
        "does not know",
        "is down",
        "wants the customer",
    ),
]
_days = st.integers(0, 3) | st.integers(0, 40)
_answers = st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=3)


OUTSTANDING = (
    F("total_minor") - F("credited_minor") - F("balance_applied_minor") - F("paid_minor") - F("written_off_minor")
)


class Crash(Exception):
    """The process ends here."""


class PlatformMachine(PeopleMachine):
    def __init__(self) -> None:
        super().__init__()
        self.parked: list[uuid.UUID] = []
        self.held: list[uuid.UUID] = []
        self.crowded = False
        self.cut_off = False
        """Whether the newest sweep was cut off: what it didn't come to is reported, until the next finds it."""
        self.done_with: list[str] = []

    @initialize(
        plan=positions,
        since=st.integers(0, 10) | st.integers(36, 80),
        history=st.lists(st.tuples(st.integers(0, 8), _answers), max_size=5),
    )
    def some_days_have_passed(self, plan: int, since: int, history: list[tuple[int, list[str]]]) -> None:
        self.open_three_accounts(plan, since)
        for days, answers in history:
            self.days_pass_and_all_goes_its_way(days, answers)

    @precondition(lambda self: self.parked)
    @rule(which=positions, release=st.booleans())
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
        for _ in range(3):
            # What was submitted because of an outcome comes after it.
            for body in self.queue.take():
                self.process(body, answers=answers)

    @rule(days=_days, times=st.integers(1, 2))
    def days_pass_and_a_sweep_runs(self, days: int, times: int) -> None:
        self.days_pass(days)
        for _ in range(times):
            self.sweep()

    @rule(before=st.sampled_from(["send_due", "send_dunning", "send_leftovers", "mark_past_due", "skip_inactive"]))
    def sweep_is_cut_off(self, before: str) -> None:
        with mock.patch(f"rebilling.sweep.{before}", side_effect=Crash), contextlib.suppress(Crash):
            self.sweep()

    @rule(batches=st.integers(1, 3))
    def sweep_is_cut_off_while_it_writes(self, batches: int) -> None:
        """Its open transaction is rolled back; what it wrote before stays, and hasn't been through the volume check."""
        written = itertools.count(1)

        def write_or_crash(rows: list[Rebilling], **given: Any) -> None:
            if next(written) == batches:
                raise Crash
            write_rows(rows, **given)

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
            run_day(as_of=self.today + datetime.timedelta(days=days), queue=self.queue, now=self.now)
        assert (Run.objects.count(), Rebilling.objects.count()) == (runs, rows)

    @rule(days=st.integers(1, 40) | st.integers(300, 400))
    def sweep_of_a_day_gone_by(self, days: int) -> None:
        """It does no harm: it finds what was due by then."""
        run_day(as_of=self.today - datetime.timedelta(days=days), queue=self.queue, now=self.now)

    @rule()
    def sweep_is_checked_against_small_limits(self) -> None:
        """So that it is held as soon as it finds more than one period."""
        before = len(self.queue.bodies)
        with override_settings(VOLUME_CHECK_SMALL_RUN=0, VOLUME_CHECK_MULTIPLE=1, VOLUME_CHECK_FIRST_PERIODS=1):
            self.sweep()
        if Run.objects.latest("id").status == "HELD":
            assert len(self.queue.bodies) == before

    @precondition(lambda self: self.held)
    @rule(which=positions, release=st.booleans())
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
    @rule(which=positions)
    def cancel_the_parked_periods_of_a_run(self, which: int) -> None:
        run = Rebilling.objects.get(id=self.parked[which % len(self.parked)]).run
        cancel_parked(run_id=run.id, reason="looked into", author="test", now=self.now)
        assert not Rebilling.objects.filter(run=run, status="PARKED").exists()

    def sweep(self) -> None:
        # Of an account with more than 36 due periods the others have no row until later sweeps find them.
        long_ago = self.today - datetime.timedelta(days=MAX_DUE_PERIODS)
        behind = Account.objects.filter(rebilling_date__lte=long_ago)
        terms = terms_of(behind.values_list("id", flat=True))
        self.crowded |= any(found.rows[0].plan_id == self.plans[0].id for found in terms.values())
        self.cut_off = True
        run_day(as_of=self.today, queue=self.queue, now=self.now)
        self.cut_off = False

    @rule(minutes=st.integers(1, 120))
    def reconcile_hourly(self, minutes: int) -> None:
        self.minutes_pass(minutes)
        sent_again(queue=self.queue, now=self.now)
        late = self.now - datetime.timedelta(minutes=60)
        for found in reconcile(runs=open_runs(), now=self.now):
            # Nothing but what a lost message, or one not delivered yet, left behind.
            behind = Rebilling.objects.filter(run_id=found.run_id, status="DUE", due_since__lte=late)
            waiting = 0 if found.status == "HELD" else behind.count()
            assert found.unexplained.periods == waiting or self.crowded or self.cut_off

    # --- what the queue and the gateway do ---

    @precondition(lambda self: self.queue.bodies)
    @rule(which=positions, answers=_answers, in_time=st.sampled_from([True, True, True, False]))
    def deliver(self, which: int, answers: list[str], in_time: bool) -> None:
        self.process(self.any_message(which), answers=answers, seconds_left=900 if in_time else 10)

    @precondition(lambda self: self.done_with)
    @rule(which=positions, answers=_answers)
    def deliver_again(self, which: int, answers: list[str]) -> None:
        self.process(self.done_with[which % len(self.done_with)], answers=answers)

    @precondition(lambda self: self.queue.bodies)
    @rule(which=positions, seam=st.sampled_from(SEAMS), answers=_answers)
    def cut_a_delivery_off(self, which: int, seam: str, answers: list[str]) -> None:
        """What the process did until then stays, and the message comes back."""
        with mock.patch(seam, side_effect=Crash):
            self.process(self.any_message(which), answers=answers)

    @precondition(lambda self: self.queue.bodies)
    @rule(which=positions)
    def lose_a_message(self, which: int) -> None:
        self.any_message(which)

    def any_message(self, which: int) -> str:
        return self.queue.bodies.pop(which % len(self.queue.bodies))

    # --- what holds ---

    @invariant()
    def is_sound(self) -> None:
        with connection.cursor() as cursor:
            # Foreign keys that wait for the end of the transaction, which never comes here.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        self.soundness.check()
        self.minutes_pass(1)
        parked = Rebilling.objects.filter(status="PARKED").order_by("id")
        self.parked = list(parked.values_list("id", flat=True))
        self.held = list(Run.objects.filter(status="HELD").order_by("id").values_list("id", flat=True))
        self.there = {model.__name__ for model in (Invoice, Payment, Refund) if model._default_manager.exists()}
        self._check_the_gateways_records()

    def _check_the_gateways_records(self) -> None:
        """Money was moved for each payment and refund that succeeded, and for none that was refused; the cash book
        has that, and what came and went without a gateway."""
        assert self.gateway.contradicted == []
        for payment in Payment.objects.exclude(status__in=Payment.IN_FLIGHT).exclude(gateway=OFFLINE):
            expected = payment.amount_minor if payment.status == "SUCCEEDED" else None
            assert self.gateway.taken.get(payment.id) == expected
        for refund in Refund.objects.exclude(status__in=Refund.IN_FLIGHT).exclude(gateway=OFFLINE):
            expected = refund.amount_minor if refund.status == "SUCCEEDED" else None
            assert self.gateway.sent.get(refund.id) == expected
        open_ids: set[uuid.UUID] = set()
        for model in (Payment, Refund):
            open_ids.update(model._default_manager.filter(status__in=model.IN_FLIGHT).values_list("id", flat=True))
        cash = sum(amount for id_, amount in self.gateway.taken.items() if id_ not in open_ids)
        cash -= sum(amount for id_, amount in self.gateway.sent.items() if id_ not in open_ids)
        cash += sum(Payment.objects.filter(gateway=OFFLINE).values_list("amount_minor", flat=True))
        cash -= sum(Refund.objects.filter(gateway=OFFLINE).values_list("amount_minor", flat=True))
        cash -= sum(Entry.objects.filter(type="payment_reversed").values_list("amount_minor", flat=True))
        cash += sum(Entry.objects.filter(type="refund_reversed").values_list("amount_minor", flat=True))
        assert sum(books["cash"] for books in book_totals().values()) == cash

    def come_to_an_end(self) -> None:
        """Whatever happened: swept, sent again and delivered, everything is explained, and nothing was missed."""
        # In the morning, so that the day is over only when all of this is.
        self.days_pass(1)
        self.deliver_all()
        self._everything_is_sent()
        # What was put off by more than 36 periods takes a sweep each time, and a person.
        self.sweep()
        self.deliver_all()
        self._everything_is_sent()
        self.is_sound()
        assert not Rebilling.objects.filter(status="DUE").exists()
        assert not Payment.objects.filter(status="SUBMITTED").exists()
        assert_nothing_was_missed(as_of=self.today)
        # Every outcome is known, but where a person is needed; and no step that has come was left out.
        assert not Payment.objects.filter(status="UNKNOWN", needs_review=False).exists()
        assert not Account.objects.filter(dunning_on__lte=self.today).exists()
        assert not Refund.objects.filter(status__in=Refund.IN_FLIGHT, needs_review=False).exists()
        self.minutes_pass(120)
        for found in reconcile(runs=list(Run.objects.order_by("id")), now=self.now):
            assert (found.unexplained.periods, found.waiting) == (0, 0)
            assert found.due.periods == found.charged.periods + found.skipped.periods + found.parked.periods
        assert not Run.objects.filter(status="OPEN", swept_at__isnull=False).exists()

    def _everything_is_sent(self) -> None:
        for run in Run.objects.filter(status="HELD"):
            release_run(run_id=run.id, reason="right", author="test", now=self.now, queue=self.queue)
        self.minutes_pass(120)
        sent_again(queue=self.queue, now=self.now)
        self.deliver_all()

    def deliver_all(self) -> None:
        """In as many rounds as a message may come back: for what another delivery leased, or an earlier period."""
        for _ in range(10):
            for body in self.queue.take():
                self.process(body, answers=["takes"])
        assert self.queue.bodies == []

    def process(self, body: str, *, answers: list[str], seconds_left: float = 900) -> None:
        """Deliver a message; one that failed goes back to the queue. Each takes its time, so that leases end."""
        self.minutes_pass(1)
        # Down, it is down for everybody: whom a worker called before it found out would be a matter of chance.
        self.gateway.answers = ["is down"] if "is down" in answers else answers
        asked = set(self.gateway.asked)
        owed = dict(Invoice.objects.annotate(owed=OUTSTANDING).values_list("id", "owed"))
        credit = dict(Account.objects.values_list("id", "credit_balance_minor"))
        failed = delivered(
            bodies=[body],
            today=self.today,
            gateway=self.gateway,
            queue=self.queue,
            seconds_left=seconds_left,
            now=self.now,
        )
        (self.queue.bodies if failed else self.done_with).append(body)
        # No payment asked for more than was outstanding, of an old invoice or of one issued just now.
        for payment in Payment.objects.filter(id__in=self.gateway.asked.keys() - asked).select_related("invoice"):
            invoice = payment.invoice
            assert invoice is not None
            assert payment.amount_minor <= owed.get(invoice.id, invoice.total_minor - credit[payment.account_id])

    def minutes_pass(self, minutes: int) -> None:
        self.now += datetime.timedelta(minutes=minutes)
