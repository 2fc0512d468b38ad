"""HTTP events go to Zappa, which makes WSGI requests of them. Nothing else does: it runs, or drops, what it is sent."""

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
    # It sets the root logger's level to its own setting's, which is DEBUG unless somebody thought of it.
    logging.getLogger().setLevel(level)
    return made


def load() -> None:
    """Loads Zappa's handler and the product's URLs before the first request needs them."""
    _zappa()
    # Asked for, its patterns are imported, and with them every view.
    len(get_resolver().url_patterns)


def answer_http(event: dict[str, Any], context: object) -> dict[str, Any]:
    """The response to a request, in the shape that API Gateway takes."""
    # Zappa makes environment variables of a stage's variables, and so could overwrite any of ours.
    answer: dict[str, Any] = _zappa().handler(event | {"stageVariables": None}, context)
    return answer
