"""Days passed at once: the clock is moved, and each day's schedules and messages are worked before the next day."""

import datetime
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from localcloud import clock
from localcloud.invocation import Handler, invoke
from localcloud.schedules import SWEEP_AT, next_reconcile, scheduled_event
from localcloud.sqs.poller import Poller
from payments.models import Payment
from rebilling.models import Run

LAST_CHECK_AT = datetime.time(23, 5)
LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 20 * 60
"""Longer than a message that fails takes to come to the dead-letter queue: five receives, three minutes apart."""


class RunHeld(Exception):
    """The volume check holds a run. No later day is billed before a person has decided about it."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"run {run.id} of {run.as_of} is held: {run.held_because}")
        self.run = run


class QueueStuck(Exception):
    """Messages stay on the queue, and no poller receives them."""


@dataclass(frozen=True, kw_only=True)
class PassedDay:
    """A day's work: periods that its sweep found due, its payments, and periods that its last check can't explain."""

    day: datetime.date
    due: int
    payments: int
    unexplained: int


@dataclass(frozen=True, kw_only=True)
class QueueUntilEmpty:
    """Works all messages, those in flight too: in this process, or by waiting for the running platform's poller."""

    poller: Poller
    works_itself: bool
    show: Callable[[int], None]
    """Called with the number of messages left, at each look at the queue."""

    def __call__(self) -> None:
        """Raises QueueStuck when no message has gone for twenty minutes."""
        fewest, deadline = None, 0.0
        while left := self.poller.on_queue():
            if fewest is None or left < fewest:
                fewest, deadline = left, time.monotonic() + PATIENCE_SECONDS
            if time.monotonic() > deadline:
                raise QueueStuck(f"{left} messages have been on the queue for {PATIENCE_SECONDS // 60} minutes")
            self.show(left)
            if self.works_itself:
                self.poller.poll()
            else:
                time.sleep(LOOK_SECONDS)


@dataclass(frozen=True, kw_only=True)
class Days:
    handler: Handler
    empty_queue: Callable[[], None]

    def pass_until(self, last: datetime.date) -> Iterator[PassedDay]:
        """Each day after today up to `last`, once its work is done; first the rest of a day that was cut off.

        When it stops, the clock stays where it is, and the next call continues from there. Raises RunHeld,
        QueueStuck, and what the day's work raises.
        """
        _refuse_held()
        self.empty_queue()
        if unfinished := clock.unfinished_day():
            yield self._worked(unfinished)
        while (day := clock.today() + datetime.timedelta(days=1)) <= last:
            clock.move_to(clock.at_time(day, SWEEP_AT), unfinished=day)
            yield self._worked(day)

    def _worked(self, day: datetime.date) -> PassedDay:
        begun = clock.now()
        swept = self._fire("sweep", clock.at_time(day, SWEEP_AT))
        _refuse_held()
        self.empty_queue()
        unexplained = 0
        for check in check_times(day):
            if check > clock.now():
                clock.move_to(check, unfinished=day)
            unexplained = self._fire("reconcile", check)["unexplained"]
            self.empty_queue()
        clock.finish_day()
        return PassedDay(
            day=day,
            due=Run.objects.get(id=uuid.UUID(swept["run"])).rebillings.count(),
            payments=Payment.objects.filter(submitted_at__gte=begun).count(),
            unexplained=unexplained,
        )

    def _fire(self, command: str, at: datetime.datetime) -> dict[str, Any]:
        answer: dict[str, Any] = invoke(handler=self.handler, event=scheduled_event(command=command, time=at))
        return answer


def check_times(day: datetime.date) -> list[datetime.datetime]:
    """When a day is checked: once what the sweep left may be sent again, and once it would have to be explained."""
    swept, last = clock.at_time(day, SWEEP_AT), clock.at_time(day, LAST_CHECK_AT)
    waits = (settings.REBILLING_RESEND_MINUTES, settings.REBILLING_DUE_MINUTES)
    return sorted({min(last, next_reconcile(swept + datetime.timedelta(minutes=minutes))) for minutes in waits})


def _refuse_held() -> None:
    held = Run.objects.filter(status=Run.Status.HELD).order_by("id").first()
    if held:
        raise RunHeld(held)
