"""Months of daily sweeps and hourly certifies against a provider in which everything goes wrong."""

import datetime
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

from django.db import connections

from payments.gateways.configured import configured_gateway
from payments.models import Payment, Refund
from rebilling.certify import certify, open_runs
from rebilling.processor import Delivery, Surroundings, process_deliveries
from rebilling.refunding import request_refund
from rebilling.sweep import sweep
from tests.builders import QueueInHand, sent_again
from tests.soak.absence import Absences
from tests.soak.clock import Clock
from tests.workers.processes import Workers
from tests.workers.waiting import wait_until

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import MessageTypeDef

CERTIFIED_AT = (7, 16)
"""The hours of a day at which the simulation certifies: each hour would only take longer."""
DAYS_AFTER_WHICH_ALL_IS_KNOWN = 10
MOST_SECONDS_OF_A_WORKER = 0.3
ONE_MESSAGE = ("process_queue", "--max-messages", "1")
KILLED = -9
KILL_DAYS = 2 / 3
"""The share of the days with something due on which workers are killed, until as many were as are to be."""
REFUND_DAYS = 0.2
"""The share of the days on which money is sent back."""


@dataclass
class Months:
    """On most days on which something is due two workers are killed, until `kills` were; on half of the others
    two processors are given the same. On days of new periods the provider may go away once it was asked, the likelier
    when workers were killed."""

    clock: Clock
    workers: Workers
    absences: Absences
    choices: random.Random
    kills: int
    days: int
    queue: QueueInHand = field(default_factory=QueueInHand)
    counts: Counter[str] = field(default_factory=Counter)
    leaving: bool = False
    """Whether the provider goes away once it was asked."""

    def pass_by(self) -> None:
        first = self.clock.today
        for number in range(self.days):
            self._a_day_passes(first + datetime.timedelta(days=number))
        # No sweep any more: what is still unknown then is asked about until it is known.
        last = first + datetime.timedelta(days=self.days - 1)
        for number in range(DAYS_AFTER_WHICH_ALL_IS_KNOWN):
            if not any(model.objects.filter(status__in=model.IN_FLIGHT).exists() for model in (Payment, Refund)):
                break
            self._hours_pass(last + datetime.timedelta(days=number + 1))
        # What was collected since the last hour has its runs certified in the next.
        self.clock.advance(hours=1)
        certify(runs=open_runs(), now=self.clock.now)

    def _a_day_passes(self, day: datetime.date) -> None:
        self._becomes(day, 6)
        run = sweep(as_of=day, queue=self.queue, now=self.clock.now)
        if bodies := self.queue.take():
            # With the provider away there is nothing to cut off.
            to_be_killed = (
                self.counts["kills"] < self.kills and not self.absences.under_way and self.choices.random() < KILL_DAYS
            )
            if run.rebillings.exists():
                self.leaving = self.absences.begins(now=self.clock.now, surely=to_be_killed)
            if to_be_killed:
                self._process_with_kills(bodies)
            else:
                self.choices.choice([self._process, self._process_twice_at_once])(bodies)
        self._refund_something()
        self._hours_pass(day)

    def _refund_something(self) -> None:
        """One day in five money is sent back, of a payment of which some may have been before."""
        paid = list(Payment.objects.filter(status="SUCCEEDED").order_by("id").values_list("id", "amount_minor"))
        if not paid or self.choices.random() > REFUND_DAYS:
            return
        payment_id, amount_minor = self.choices.choice(paid)
        told: dict[str, Any] = {
            "reason": "not satisfied",
            "author": "test",
            "today": self.clock.today,
            "now": self.clock.now,
        }
        with mock.patch("rebilling.dispatch.configured_queue", return_value=self.queue):
            request_refund(payment_id=payment_id, amount_minor=amount_minor // 4, **told)
        self._process(self.queue.take())

    def _hours_pass(self, day: datetime.date) -> None:
        for hour in CERTIFIED_AT:
            self._becomes(day, hour)
            certify(runs=open_runs(), now=self.clock.now)
            sent_again(queue=self.queue, now=self.clock.now)
            self._process(self.queue.take())

    def _becomes(self, day: datetime.date, hour: int) -> None:
        # Late by a moment and not by hours, in which its key would be forgotten.
        self.absences.provider.wait_for_what_is_late()
        self.clock.advance_to(day, hour)
        self.absences.end_when_over(now=self.clock.now)

    def _was_asked(self) -> None:
        if self.leaving:
            self.leaving = False
            self.absences.begin(now=self.clock.now)

    def _process(self, bodies: list[str]) -> None:
        """Until nothing comes back. A message that fails comes back when its visibility timeout is over."""
        for _ in range(1 if self.absences.under_way else 10):
            if not bodies:
                return
            self.clock.advance(minutes=3)
            failed = self._delivered(bodies)
            self._was_asked()
            self.counts["deliveries"] += len(bodies)
            self.counts["failed deliveries"] += len(failed)
            bodies = failed + self.queue.take()
        # Five receives and they would be dead letters; the hourly certify sends their payments again.
        self.counts["dead letters"] += len(bodies)

    def _delivered(self, bodies: list[str]) -> list[str]:
        ends = time.monotonic() + 60
        failed = process_deliveries(
            deliveries=[Delivery(message_id=str(number), body=body) for number, body in enumerate(bodies)],
            surroundings=Surroundings(
                gateway=configured_gateway(),
                queue=self.queue,
                seconds_left=lambda: ends - time.monotonic(),
                today=self.clock.today,
                now=self.clock.now,
            ),
        )
        return [bodies[int(number)] for number in failed]

    def _process_twice_at_once(self, bodies: list[str]) -> None:
        """Two processors are given the same, and it comes again for whoever found the other at it."""
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
        self._was_asked()
        self.counts["days on which two processed the same"] += 1
        self._process(failed + self.queue.take())

    def _process_with_kills(self, bodies: list[str]) -> None:
        """Two worker processes take the messages off SQS, each twice there, and are killed at a random moment."""
        queue = self.workers.queue
        for body in bodies:
            queue.send(body, times=2)
        pair = [self.workers.start(*ONE_MESSAGE, now=self.clock.now) for _ in range(2)]
        wait_until(lambda: all(worker.begun for worker in pair), pause=0.001)
        time.sleep(self.choices.uniform(0, MOST_SECONDS_OF_A_WORKER))
        for worker in pair:
            worker.kill()
            self.counts["kills"] += worker.wait() == KILLED
        self._was_asked()
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
