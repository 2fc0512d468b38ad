"""Lambda's entry point.

It fails closed: an event that it doesn't know, or that isn't this function's duty, raises, so that nothing is dropped
or run by mistake. An exception here fails every message of the event; `batchItemFailures` names single ones.
"""

import gc

# What a start makes stays as long as the process does. The garbage collector would look through it again and again: for
# a fifth of the start, and later for a twelfth of the worker's time.
gc.disable()

import datetime
import logging
import os
from typing import Any, Protocol

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")

from billing_site.lambda_function.cold_start import start

start()

from django.conf import settings  # noqa: E402
from django.core.management.base import CommandError  # noqa: E402
from django.db import close_old_connections  # noqa: E402

from accounts import clock  # noqa: E402
from accounts.billing_day import billing_day  # noqa: E402
from accounts.database_errors import one_line  # noqa: E402
from billing_site.database.rotation import rotate  # noqa: E402
from billing_site.errors import UnroutedEvent  # noqa: E402
from billing_site.lambda_function.commands import run_command  # noqa: E402
from billing_site.lambda_function.events import Kind, kind_of  # noqa: E402
from billing_site.lambda_function.http import answer_http  # noqa: E402
from payments.gateways.configured import configured_gateway  # noqa: E402
from payments.messages.queue import configured_queue  # noqa: E402
from rebilling.hourly_check import check_hourly  # noqa: E402
from rebilling.worker import Delivery, Surroundings, process_deliveries  # noqa: E402
from subscriptions.daily_run import run_day  # noqa: E402

gc.freeze()
gc.enable()
logger = logging.getLogger(__name__)


CHARGING_SECONDS = 15.0
"""The time that a message takes besides its calls to the gateway."""


class HourlyCheckFailed(Exception):
    """Steps of the hourly check failed; each is in the log."""


class Context(Protocol):
    """Lambda's context object, as far as it is used."""

    def get_remaining_time_in_millis(self) -> int: ...


# Just these two parameters, without defaults.
def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Route one event. Raises `UnroutedEvent` for one that it doesn't know, and what the event's work raises."""
    close_old_connections()
    try:
        return _routed(event, context)
    except CommandError as error:
        # Its message says enough.
        said = {"event": "lambda.failed", "error": type(error).__name__}
        logger.error("an event failed: %s", one_line(error), extra=said)
        raise
    except Exception as error:
        # Lambda's own line about it has no level that a log table could filter on.
        logger.exception("an event failed", extra={"event": "lambda.failed", "error": type(error).__name__})
        raise
    finally:
        close_old_connections()


def _routed(event: dict[str, Any], context: Context) -> dict[str, Any]:
    match kind_of(event):
        case Kind.HTTP:
            return answer_http(event, context)
        case Kind.QUEUE:
            return _queued(event["Records"], context)
        case Kind.SCHEDULE:
            return _scheduled(event)
        case Kind.ROTATION:
            return rotate(step=event["Step"], secret_id=event["SecretId"], token=event["ClientRequestToken"])
        case Kind.MANAGE:
            return run_command(event["manage"])


def _scheduled(event: dict[str, Any]) -> dict[str, Any]:
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


def _queued(records: list[dict[str, Any]], context: Context) -> dict[str, Any]:
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
        # The billing day is found for each message: the first may take its time.
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
        today=billing_day(clock.now()),
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
    )
