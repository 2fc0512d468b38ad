"""A function's start: what every event needs is looked at once, and a function that lacks it doesn't start.

Lambda then tries again with the next event; the queue and the scheduler keep theirs.
"""

import logging
import os
import sys

import django

from billing_site.duties import Duty, duties, on_lambda
from billing_site.log_format import JsonFormatter


def start() -> None:
    """Loads the product, and on Lambda looks whether it can work. Raises what it found, after one line in the log.

    Every line is one that says what to mend. A machine of one's own (`localcloud`) only loads: it makes its database
    and its queue itself.
    """
    try:
        django.setup()
        here = duties()
        if on_lambda():
            _look(here)
    except Exception as error:
        _tell(error)
        raise


def _look(here: frozenset[Duty]) -> None:
    from billing_site import readiness, zappa_http  # noqa: PLC0415 - models come after the settings

    readiness.refuse_unless_ready(here)
    # Zappa's own setting for the same: at the start a processor is lent that the first request would have to wait for.
    if Duty.API in here and os.environ.get("INSTANTIATE_LAMBDA_HANDLER_ON_IMPORT"):
        zappa_http.load()


def _tell(error: Exception) -> None:
    """The log table finds a line by its level, and when the settings fail there is no logging yet."""
    first, *_ = [*str(error).strip().splitlines(), type(error).__name__]
    line = {"name": __name__, "levelname": "CRITICAL", "msg": f"not started: {first}", "event": "start.refused"}
    print(JsonFormatter().format(logging.makeLogRecord(line)), file=sys.stderr, flush=True)  # noqa: T201
