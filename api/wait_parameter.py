"""Answers that wait for what the worker is about to find out: `?wait=` seconds, bounded, and without a database
connection between two looks.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from django.db import connection
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

PARAMETER = "wait"
MAX_WAIT_SECONDS = 10
"""Well within the 29 seconds that API Gateway gives an answer."""
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.1, 1.0

T = TypeVar("T")

_SECONDS = {str(seconds): seconds for seconds in range(MAX_WAIT_SECONDS + 1)}


def wait_parameter(description: str) -> OpenApiParameter:
    """`?wait=` in the API's description, with what is waited for."""
    return OpenApiParameter(
        PARAMETER,
        {"type": "integer", "minimum": 0, "maximum": MAX_WAIT_SECONDS, "default": 0},
        OpenApiParameter.QUERY,
        description=description,
    )


def seconds_to_wait(request: Request) -> int:
    """What `?wait=` says; 0 without it. Raises `ValidationError`."""
    text = request.query_params.get(PARAMETER, "0")
    if text not in _SECONDS:
        raise ValidationError({PARAMETER: [f"Must be a whole number of seconds from 0 to {MAX_WAIT_SECONDS}."]})
    return _SECONDS[text]


def look_until(look: Callable[[], T], *, is_done: Callable[[T], bool], seconds: int) -> T:
    """What `look` finds: again and again, ever less often, until it is done or so many seconds are over.

    The caller's transaction is committed. After each look the connection is closed: other requests need it more.
    """
    deadline, pause = time.monotonic() + seconds, FIRST_PAUSE_SECONDS
    while True:
        found = look()
        left = deadline - time.monotonic()
        if left <= 0 or is_done(found):
            return found
        if not connection.in_atomic_block:
            connection.close()
        time.sleep(min(pause, left))
        pause = min(pause * 2, MAX_PAUSE_SECONDS)
