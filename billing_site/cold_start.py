"""A function's start: what every event needs is looked at once, and a function that lacks it doesn't start.

Lambda then tries again with the next event; the queue and the scheduler keep theirs.
"""

import json
import os
import sys

import django

from billing_site.duties import Duty, duties, on_lambda


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
    what = str(error).strip().splitlines() or [type(error).__name__]
    line = {"level": "CRITICAL", "logger": __name__, "event": "start.refused", "message": f"not started: {what[0]}"}
    print(json.dumps(line), file=sys.stderr, flush=True)  # noqa: T201
