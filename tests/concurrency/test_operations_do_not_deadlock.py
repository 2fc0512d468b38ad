"""Everything that writes about accounts, from several threads at once, over the same few accounts.

`FAULT_SEED` repeats a run's choices.
"""

import datetime
import os
import random
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

from django.db import DatabaseError
from django.test import override_settings

from accounts.errors import OperationError
from accounts.models import Account
from ledger.models import Entry
from payments.gateways.port import Declined, Outcome, PaymentRequest, RefundRequest
from payments.models import Payment, Refund
from rebilling.adjustments import grant_credit, reverse_entry
from rebilling.messages.message import Message, RefundsMessage
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.reconcile import open_runs, reconcile
from rebilling.reconciliation.summary import reconciliations_of
from rebilling.refund_requests import request_refund
from rebilling.run_review import cancel_run, release_run
from rebilling.sweep import sweep
from rebilling.worker import CollectedElsewhere, Surroundings, process, process_refunds
from subscriptions.lifecycle import close_account, reopen_account
from tests.builders import QueueInHand, a_plan, an_account, at, sends_back, sent_again, takes
from tests.support.databases import committed
from tests.support.gateways import OnlyCollects
from tests.support.soundness import Soundness, assert_nothing_was_missed
from tests.support.workers.threads import threads

THREADS = 6
OPERATIONS = 40
"""Of each thread."""
ACCOUNTS = 20
FIRST = datetime.date(2026, 3, 1)
TODAY = FIRST + datetime.timedelta(days=5)


def is_refused(key: uuid.UUID) -> bool:
    """One payment in four, and one refund, by its id: the same key has the same answer."""
    return key.int % 4 == 0


class FickleGateway(OnlyCollects):
    """Declines some payments and some refunds."""

    name = "fickle"

    def collect(self, request: PaymentRequest) -> Outcome:
        if is_refused(request.payment_id):
            return Declined(code="insufficient_funds")
        return takes(request)

    def refund(self, request: RefundRequest) -> Outcome:
        return Declined(code="charge_disputed") if is_refused(request.refund_id) else sends_back(request)


class Platform:
    """The operations that a thread may choose from, with what they share: the queue."""

    def __init__(self, accounts: list[Account]) -> None:
        self.accounts = accounts
        self.queue = QueueInHand()
        self.done: Counter[str] = Counter()

    def operate(self, choices: random.Random) -> None:
        operations: dict[Callable[[random.Random], object], int] = {
            self.sweep: 3,
            self.deliver: 10,
            self.close: 3,
            self.reopen: 4,
            self.credit: 3,
            self.reverse: 4,
            self.refund: 4,
            self.decide: 2,
            self.reconcile: 1,
        }
        for operation in choices.choices([*operations], [*operations.values()], k=OPERATIONS):
            try:
                operation(choices)
            except (OperationError, CollectedElsewhere) as refused:
                self.done[type(refused).__name__] += 1
            except DatabaseError as error:
                raise AssertionError(f"{operation.__name__} failed: {error}") from error
            else:
                self.done[operation.__name__] += 1

    def sweep(self, choices: random.Random) -> None:
        day = FIRST + datetime.timedelta(days=choices.randrange(6))
        sweep(as_of=day, queue=self.queue, now=at(TODAY))

    def deliver(self, choices: random.Random) -> None:
        """One of the messages that were ever sent, its periods in any order; sometimes with no time to collect."""
        messages = self.queue.messages
        if messages:
            message = choices.choice(messages)
            periods = choices.sample(message.rebillings, len(message.rebillings))
            self.process(
                Message(
                    run_id=message.run_id, as_of=message.as_of, rebillings=tuple(periods), payments=message.payments
                ),
                seconds_left=choices.choice([900, 900, 0]),
            )

    def process(self, message: Message, *, seconds_left: float = 900) -> None:
        process(message=message, surroundings=self.surroundings(seconds_left))

    def surroundings(self, seconds_left: float = 900) -> Surroundings:
        return Surroundings(
            gateway=FickleGateway(),
            queue=self.queue,
            clock=lambda: at(TODAY),
            today=TODAY,
            seconds_left=lambda: seconds_left,
        )

    def refund(self, choices: random.Random) -> None:
        """Of one of an account's payments, and one of its refunds is sent, perhaps not for the first time."""
        account_id = self._any(choices)
        payments = Payment.objects.filter(account=account_id, status="SUCCEEDED")
        if found := [*payments.values_list("id", flat=True)]:
            amount = choices.choice([1, 40, 100])
            request_refund(
                payment_id=choices.choice(found),
                amount_minor=amount,
                reason="unhappy",
                author="ann",
                today=TODAY,
                now=at(TODAY),
            )
            refunds = [*Refund.objects.filter(payment__account=account_id).values_list("id", flat=True)]
            message = RefundsMessage(refunds=(choices.choice(refunds),))
            process_refunds(message=message, surroundings=self.surroundings())

    def close(self, choices: random.Random) -> None:
        close_account(account_id=self._any(choices), reason="left", author="ann", now=at(TODAY))

    def reopen(self, choices: random.Random) -> None:
        reopen_account(account_id=self._any(choices), reason="came back", author="ann", today=TODAY, now=at(TODAY))

    def credit(self, choices: random.Random) -> None:
        grant_credit(
            account_id=self._any(choices),
            amount_minor=choices.choice([30, 100, 250]),
            reason="sorry",
            author="ann",
            today=TODAY,
            now=at(TODAY),
        )

    def reverse(self, choices: random.Random) -> None:
        """A charge or a credit; a reversal isn't reversed, so that no charge comes back."""
        entries = Entry.objects.filter(account=self._any(choices), type__in=["charge", "credit"])
        if found := [*entries.values_list("id", flat=True)]:
            reverse_entry(entry_id=choices.choice(found), reason="mistake", author="ann", today=TODAY, now=at(TODAY))

    def decide(self, choices: random.Random) -> None:
        """About a run that the volume check holds, if there is one."""
        if held := [*Run.objects.filter(status="HELD").values_list("id", flat=True)]:
            decision: dict[str, Any] = {"reason": "looked into", "author": "ann", "now": at(TODAY)}
            if choices.random() < 0.5:
                release_run(run_id=choices.choice(held), queue=self.queue, **decision)
            else:
                cancel_run(run_id=choices.choice(held), **decision)

    def reconcile(self, choices: random.Random) -> None:
        reconcile(runs=open_runs(), now=at(TODAY))
        sent_again(queue=self.queue, now=at(TODAY) + datetime.timedelta(hours=1))

    def _any(self, choices: random.Random) -> uuid.UUID:
        return choices.choice(self.accounts).id


@committed
class TestOperationsOnTheSameAccounts:
    # No lease: deliveries of the same payments record their outcomes against each other.
    @override_settings(PAYMENT_LEASE_SECONDS=0, PAYMENT_GATEWAY_TIMEOUT_SECONDS=0)
    # The volume check holds the first sweep, and any that is larger than those that passed before.
    @override_settings(VOLUME_CHECK_FIRST_PERIODS=5, VOLUME_CHECK_MULTIPLE=1, VOLUME_CHECK_SMALL_RUN=5)
    def test_do_not_deadlock_and_leave_everything_sound(self) -> None:
        seed = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(10**9))
        print(f"FAULT_SEED={seed}")  # noqa: T201 - shown when the test fails
        plan = a_plan(interval_unit="day", unit_amount_minor=100)
        terms: dict[str, Any] = {"anchor_date": FIRST, "rebilling_date": FIRST}
        platform = Platform([an_account(plan=plan, today=FIRST, **terms) for _ in range(ACCOUNTS)])
        # Small batches, which share accounts in every combination.
        with mock.patch("rebilling.messages.dispatch.MAX_ITEMS", 13), mock.patch("rebilling.sweep.BATCH_ACCOUNTS", 7):
            with threads() as start:
                working = [
                    start(partial(platform.operate, random.Random(f"{seed} {number}"))) for number in range(THREADS)
                ]
            for thread in working:
                thread.result()
            assert sum(platform.done.values()) == THREADS * OPERATIONS
            assert_ended_well(platform)


def assert_ended_well(platform: Platform) -> None:
    """Bills what is left, with nobody in the way, and finds every row sound and every period explained."""
    for run in Run.objects.filter(status="HELD"):
        release_run(run_id=run.id, reason="right", author="ann", now=at(TODAY), queue=platform.queue)
    assert Run.objects.filter(decided_at__isnull=False).exists()
    for message in platform.queue.messages:
        platform.process(message)
    with override_settings(VOLUME_CHECK_FIRST_PERIODS=0, VOLUME_CHECK_MULTIPLE=0):
        last = sweep(as_of=TODAY, queue=platform.queue, now=at(TODAY))
    if last.status == Run.Status.HELD:
        # For so many of them that catch up, which no setting lets through.
        release_run(run_id=last.id, reason="right", author="ann", now=at(TODAY), queue=platform.queue)
    for message in platform.queue.messages:
        platform.process(message)
    if reserved := tuple(Refund.objects.filter(status="SUBMITTED").values_list("id", flat=True)):
        process_refunds(message=RefundsMessage(refunds=reserved), surroundings=platform.surroundings())
    refunds = dict(Refund.objects.values_list("id", "status"))
    assert refunds == {id_: "FAILED" if is_refused(id_) else "SUCCEEDED" for id_ in refunds}
    submitted = Payment.objects.filter(status="SUBMITTED")
    assert (Rebilling.objects.filter(status__in=["DUE", "CHARGED", "PARKED"]).count(), submitted.count()) == (0, 0)
    # A row fault would have been parked, with a detail that stays.
    assert not Rebilling.objects.exclude(detail="").exclude(reason="run_cancelled").exists()
    Soundness().check()
    assert_nothing_was_missed(as_of=TODAY)
    found = reconciliations_of(runs=Run.objects.order_by("id"), now=at(TODAY))
    assert all(run.clean for run in found)
    assert sum(run.due.periods for run in found) == Rebilling.objects.count()
