"""A function's start checks once what every event needs. A function that lacks something doesn't start.

Lambda then tries again with the next event; the queue and the scheduler keep theirs.
"""

import logging
import os
import sys

import django

from billing_site.lambda_function.duties import Duty, duties, on_lambda
from billing_site.log_format import JsonFormatter


def start() -> None:
    """Loads the product, and on Lambda checks that it can work. Raises the first error, after one line in the log.

    Every line says how to fix the error. The local platform (`localcloud`) skips the checks: it creates its own
    database and queue.
    """
    try:
        django.setup()
        here = duties()
        if on_lambda():
            _check(here)
    except Exception as error:
        _log(error)
        raise


def _check(here: frozenset[Duty]) -> None:
    from billing_site.lambda_function import http, readiness  # noqa: PLC0415 - models come after the settings

    readiness.refuse_unless_ready(here)
    # Zappa's own setting for this. Lambda gives a start a whole processor; the first request would have less.
    if Duty.API in here and os.environ.get("INSTANTIATE_LAMBDA_HANDLER_ON_IMPORT"):
        http.load()


def _log(error: Exception) -> None:
    """A JSON line with a level, which the log table finds. When the settings fail, logging isn't set up yet."""
    first, *_ = [*str(error).strip().splitlines(), type(error).__name__]
    line = {"name": __name__, "levelname": "CRITICAL", "msg": f"not started: {first}", "event": "start.refused"}
    print(JsonFormatter().format(logging.makeLogRecord(line)), file=sys.stderr, flush=True)  # noqa: T201
