"""Answers that may wait for the worker: `?wait=` seconds. No connection to the database is held between two looks."""

import time
from collections.abc import Callable
from typing import TypeVar

from django.db import connection
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

PARAMETER = "wait"
MAX_WAIT_SECONDS = 10
"""Well within the 29 seconds that a request has."""
LOOKS_A_SECOND = 4

T = TypeVar("T")

WAIT = OpenApiParameter(
    PARAMETER,
    {"type": "integer", "minimum": 0, "maximum": MAX_WAIT_SECONDS},
    OpenApiParameter.QUERY,
    description=f"Seconds to wait, 0 to {MAX_WAIT_SECONDS}. Without it the answer comes at once.",
)


def wait_seconds(request: Request) -> int:
    """The seconds that the request is willing to wait; 0 where it doesn't say. Raises `ValidationError`."""
    text = request.query_params.get(PARAMETER, "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= MAX_WAIT_SECONDS):
        raise ValidationError({PARAMETER: [f"Must be a whole number from 0 to {MAX_WAIT_SECONDS}."]})
    return int(text)


def look_until(look: Callable[[], T], *, is_done: Callable[[T], bool], seconds: int) -> T:
    """What `look` finds, as soon as it is done; after so many seconds, whatever it is. Not within a transaction."""
    found = look()
    for _ in range(seconds * LOOKS_A_SECOND):
        if is_done(found):
            break
        connection.close()
        time.sleep(1 / LOOKS_A_SECOND)
        found = look()
    return found
