"""What the worker does for an event: a schedule's command, or messages from the queue."""

import datetime
import logging
from typing import Any, Protocol

from django.conf import settings

from accounts import clock
from accounts.billing_day import billing_day
from billing_site.errors import UnroutedEvent
from payments.gateways.configuration import configured_gateway
from payments.messages.queue import configured_queue
from rebilling.hourly_check import check_hourly
from rebilling.worker import Delivery, Surroundings, process_deliveries
from subscriptions.daily_run import run_day

logger = logging.getLogger(__name__)

CHARGING_SECONDS = 15.0
"""The time that a message takes besides its calls to the gateway."""


class HourlyCheckFailed(Exception):
    """Steps of the hourly check failed; each is in the log."""


class Context(Protocol):
    """Lambda's context object, as far as it is used."""

    def get_remaining_time_in_millis(self) -> int: ...


def scheduled(event: dict[str, Any]) -> dict[str, Any]:
    """A schedule's command. The date is that of the schedule's time: a late start doesn't move the billing day."""
    queue, now = configured_queue(), clock.now()
    if event["command"] == "sweep":
        run = run_day(as_of=billing_day(datetime.datetime.fromisoformat(event["time"])), queue=queue, now=now)
        return {"run": str(run.id)}
    if event["command"] == "reconcile":
        check = check_hourly(queue=queue, now=now)
        if check.failed:
            # Everything else was done. The error sets off the function's alarm, and Lambda tries again.
            raise HourlyCheckFailed("; ".join(check.failed))
        return {"runs": len(check.reconciliations), "unexplained": check.unexplained, "sent": check.sent}
    raise UnroutedEvent(f"no handler for the command {event['command']!r}")


def queued(records: list[dict[str, Any]], context: Context) -> dict[str, Any]:
    """Messages from the queue. Returns those that must be delivered again."""
    expected = settings.REBILLING_QUEUE_URL.rsplit("/", 1)[-1]
    for record in records:
        source = (record.get("eventSource"), str(record.get("eventSourceARN")).rsplit(":", 1)[-1])
        if not expected or source != ("aws:sqs", expected):
            raise UnroutedEvent(f"no handler for records of {source[0]} {source[1]}")
    failed: list[str] = []
    enough = settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS + CHARGING_SECONDS
    for number, record in enumerate(records):
        if number and context.get_remaining_time_in_millis() < enough * 1000:
            # It would be cut off in the middle, and the finished messages would come again with it.
            failed += [left["messageId"] for left in records[number:]]
            logger.warning(
                "no time was left for some messages", extra={"event": "lambda.batch_left", "messages": failed}
            )
            break
        failed += process_deliveries(
            deliveries=[Delivery(message_id=record["messageId"], body=record["body"])],
            surroundings=_surroundings(context),
        )
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _surroundings(context: Context) -> Surroundings:
    return Surroundings(
        gateway=configured_gateway(),
        queue=configured_queue(),
        clock=clock.now,
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
    )
