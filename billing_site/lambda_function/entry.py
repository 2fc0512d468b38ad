"""Lambda's entry point.

It fails closed: an event that it doesn't know, or that isn't this function's duty, raises, so that nothing is dropped
or run by mistake. An exception here fails every message of the event; `batchItemFailures` names single ones.
"""

# ruff: noqa: E402

import gc

# What a start makes stays as long as the process does. The garbage collector would look through it again and again,
# while it is loaded and, later, for a twelfth of the worker's time.
gc.disable()

import logging
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")

from billing_site.lambda_function.cold_start import start

start()

from django.core.management.base import CommandError
from django.db import close_old_connections

from accounts.database_errors import one_line
from billing_site.lambda_function.commands import run_command
from billing_site.lambda_function.duties import Duty, duties
from billing_site.lambda_function.events import Kind, kind_of
from billing_site.lambda_function.garbage import collect_seldom
from billing_site.lambda_function.http import answer_http

if Duty.WORKER in duties():
    from billing_site.lambda_function import worker_events
if Duty.MIGRATE in duties():
    from billing_site.database.rotation import rotate

collect_seldom()
logger = logging.getLogger(__name__)


# Just these two parameters, without defaults.
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
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


def _routed(event: dict[str, Any], context: Any) -> dict[str, Any]:
    match kind_of(event):
        case Kind.HTTP:
            return answer_http(event, context)
        case Kind.QUEUE:
            return worker_events.queued(event["Records"], context)
        case Kind.SCHEDULE:
            return worker_events.scheduled(event)
        case Kind.ROTATION:
            return rotate(step=event["Step"], secret_id=event["SecretId"], token=event["ClientRequestToken"])
        case Kind.MANAGE:
            return run_command(event["manage"])
