"""HTTP events go to Zappa, which turns them into WSGI requests. No other event does: Zappa would run it, or drop it."""

import logging
from functools import cache
from typing import Any

from django.urls import get_resolver


@cache
def _zappa() -> Any:
    """Zappa's handler, by the `zappa_settings` that Zappa wrote into the zip. Loaded late: only HTTP needs it."""
    level = logging.getLogger().level
    from zappa.handler import LambdaHandler  # noqa: PLC0415

    made = LambdaHandler()
    # It sets the root logger's level to its own setting, which is DEBUG by default.
    logging.getLogger().setLevel(level)
    return made


def load() -> None:
    """Loads Zappa's handler and the product's URLs before the first request needs them."""
    _zappa()
    # Reading the patterns imports every view.
    len(get_resolver().url_patterns)


def answer_http(event: dict[str, Any], context: object) -> dict[str, Any]:
    """The response to a request, in the shape that API Gateway takes."""
    # Zappa turns a stage's variables into environment variables, which could overwrite ours.
    answer: dict[str, Any] = _zappa().handler(event | {"stageVariables": None}, context)
    return answer
