"""Months of daily sweeps and hourly checks against a provider where everything goes wrong."""

import datetime
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

from django.db import connections

from payments.gateways.configuration import configured_gateway
from payments.models import Payment, Refund
from payments.refund_requests import request_refund
from rebilling.reconciliation.reconcile import open_runs, reconcile
from rebilling.worker import Delivery, Surroundings, process_deliveries
from subscriptions.daily_run import run_day
from tests.builders import QueueInHand, sent_again
from tests.soak.clock import Clock
from tests.soak.people import People
from tests.soak.provider_outage import Outages
from tests.soak.subscribers import Subscribers
from tests.support.workers.processes import Workers
from tests.support.workers.waiting import wait_until

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import MessageTypeDef

RECONCILED_AT = (7, 16)
"""The hours of a day at which the simulation reconciles: each hour would only take longer."""
DAYS_AFTER_WHICH_ALL_IS_KNOWN = 10
MAX_WORKER_SECONDS = 0.3
ONE_MESSAGE = ("process_queue", "--max-messages", "1")
KILLED = -9
KILL_DAYS = 2 / 3
"""The share of the days with something due on which workers are killed, until as many were as are to be."""
REFUND_DAYS = 0.2
"""The share of the days on which money is sent back."""


@dataclass
class Months:
    """On most days on which something is due two workers are killed, until `kills` were; on half of the others two
    workers receive the same messages. On days of new periods an outage of the provider may begin once it was called,
    always when workers were killed."""

    clock: Clock
    workers: Workers
    outages: Outages
    choices: random.Random
    people: People
    subscribers: Subscribers
    kills: int
    days: int
    queue: QueueInHand = field(default_factory=QueueInHand)
    counts: Counter[str] = field(default_factory=Counter)
    leaving: bool = False
    """Whether an outage begins once the provider was called."""

    def pass_by(self) -> None:
        first = self.clock.today
        for number in range(self.days):
            self._a_day_passes(first + datetime.timedelta(days=number))
        # No sweep any more: what is still unknown then is looked up until it is known.
        last = first + datetime.timedelta(days=self.days - 1)
        for number in range(DAYS_AFTER_WHICH_ALL_IS_KNOWN):
            self._hours_pass(last + datetime.timedelta(days=number + 1))
            if not any(model.objects.filter(status__in=model.IN_FLIGHT).exists() for model in (Payment, Refund)):
                break
        # What was collected since the last hour has its runs reconciled in the next.
        self.clock.advance(hours=1)
        reconcile(runs=open_runs(), now=self.clock.now)

    def _a_day_passes(self, day: datetime.date) -> None:
        self._becomes(day, 6)
        run = run_day(as_of=day, queue=self.queue, now=self.clock.now)
        if bodies := self.queue.take():
            # During an outage there is nothing to cut off.
            to_be_killed = (
                self.counts["kills"] < self.kills and not self.outages.going_on and self.choices.random() < KILL_DAYS
            )
            if run.rebillings.exists():
                self.leaving = self.outages.begins(now=self.clock.now, certainly=to_be_killed)
            if to_be_killed:
                self._process_with_kills(bodies)
            else:
                self.choices.choice([self._process, self._process_twice_at_once])(bodies)
        with mock.patch("payments.messages.dispatch.configured_queue", return_value=self.queue):
            self.people.work()
            self.subscribers.work()
            self._refund_something()
        self._process(self.queue.take())
        self._hours_pass(day)

    def _refund_something(self) -> None:
        """One day in five money is sent back, of a payment of which some may have been before."""
        worked_on = [*self.people.accounts, *self.subscribers.bills]
        untouched = Payment.objects.filter(status="SUCCEEDED").exclude(account__in=worked_on)
        paid = list(untouched.order_by("id").values_list("id", "amount_minor"))
        if not paid or self.choices.random() > REFUND_DAYS:
            return
        payment_id, amount_minor = self.choices.choice(paid)
        request: dict[str, Any] = {
            "reason": "not satisfied",
            "author": "test",
            "today": self.clock.today,
            "now": self.clock.now,
        }
        request_refund(payment_id=payment_id, amount_minor=amount_minor // 4, **request)

    def _hours_pass(self, day: datetime.date) -> None:
        for hour in RECONCILED_AT:
            self._becomes(day, hour)
            reconcile(runs=open_runs(), now=self.clock.now)
            sent_again(queue=self.queue, now=self.clock.now)
            self._process(self.queue.take())

    def _becomes(self, day: datetime.date, hour: int) -> None:
        # Late by a moment and not by hours, in which its key would be forgotten.
        self.outages.provider.wait_for_what_is_late()
        self.clock.advance_to(day, hour)
        self.outages.end_when_over(now=self.clock.now)

    def _was_called(self) -> None:
        if self.leaving:
            self.leaving = False
            self.outages.begin(now=self.clock.now)

    def _process(self, bodies: list[str]) -> None:
        """Until nothing comes back. A message that fails comes back when its visibility timeout is over."""
        for _ in range(1 if self.outages.going_on else 10):
            if not bodies:
                return
            self.clock.advance(minutes=3)
            failed = self._delivered(bodies)
            self._was_called()
            self.counts["deliveries"] += len(bodies)
            self.counts["failed deliveries"] += len(failed)
            bodies = failed + self.queue.take()
        # Five receives and they would be dead letters; the hourly reconcile sends their payments again.
        self.counts["dead letters"] += len(bodies)

    def _delivered(self, bodies: list[str]) -> list[str]:
        ends = time.monotonic() + 60
        failed = process_deliveries(
            deliveries=[Delivery(message_id=str(number), body=body) for number, body in enumerate(bodies)],
            surroundings=Surroundings(
                gateway=configured_gateway(),
                queue=self.queue,
                clock=lambda: self.clock.now,
                seconds_left=lambda: ends - time.monotonic(),
            ),
        )
        return [bodies[int(number)] for number in failed]

    def _process_twice_at_once(self, bodies: list[str]) -> None:
        """Two workers receive the same messages; those that find a lease held fail and come again."""
        failed: list[str] = []

        def deliver() -> None:
            try:
                failed.extend(self._delivered(bodies))
            finally:
                connections.close_all()

        both = [threading.Thread(target=deliver) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        self._was_called()
        self.counts["days on which two processed the same"] += 1
        self._process(failed + self.queue.take())

    def _process_with_kills(self, bodies: list[str]) -> None:
        """Two worker processes take the messages off SQS, each twice there, and are killed at a random moment."""
        queue = self.workers.queue
        for body in bodies:
            queue.send(body, times=2)
        pair = [self.workers.start(*ONE_MESSAGE, now=self.clock.now) for _ in range(2)]
        wait_until(lambda: all(worker.begun for worker in pair), pause=0.001)
        time.sleep(self.choices.uniform(0, MAX_WORKER_SECONDS))
        for worker in pair:
            worker.kill()
            self.counts["kills"] += worker.wait() == KILLED
        self._was_called()
        # By then the leases of the killed have ended, and their messages have come back.
        self.clock.advance(minutes=10)
        failed: list[str] = []
        wait_until(lambda: failed.extend(self._taken_off_the_queue()) or not queue.on_its_way, pause=0.05)  # type: ignore[func-returns-value]
        self._process(failed + self.queue.take())

    def _taken_off_the_queue(self) -> list[str]:
        """Works what is visible on SQS; returns what failed, to come again as all else does."""
        queue = self.workers.queue
        found: list[MessageTypeDef] = queue.client.receive_message(
            QueueUrl=queue.endpoint.queue_url, MaxNumberOfMessages=10
        ).get("Messages", [])
        failed = [message["Body"] for message in found if self._delivered([message["Body"]])]
        for message in found:
            queue.client.delete_message(QueueUrl=queue.endpoint.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return failed
