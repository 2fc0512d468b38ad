"""Each request has a name, `X-Request-Id`: the answer carries it, and so does every line of the log about it."""

import logging
import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING

from accounts.ids import new_id

if TYPE_CHECKING:  # the log's format loads this module before there are settings
    from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-Id"

# No other text from a client is echoed or logged.
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,128}")

_current: ContextVar[str] = ContextVar("request_id", default="")


def name_requests(get_response: "Callable[[HttpRequest], HttpResponse]") -> "Callable[[HttpRequest], HttpResponse]":
    """Middleware, the outermost: the client's own name for the request, if it is well-formed, or a new one."""

    def named(request: "HttpRequest") -> "HttpResponse":
        given = request.headers.get(HEADER, "")
        request_id = given if _WELL_FORMED.fullmatch(given) else str(new_id())
        request.META["REQUEST_ID"] = request_id
        token = _current.set(request_id)
        try:
            response = get_response(request)
        finally:
            _current.reset(token)
        response[HEADER] = request_id
        return response

    return named


def request_id_of(record: logging.LogRecord) -> str:
    """The name of the request that the record is about, or that is being answered; or an empty string.

    Django logs a request that was refused when its middleware has ended, and names it in the record.
    """
    request = getattr(record, "request", None)
    return str(getattr(request, "META", {}).get("REQUEST_ID", "")) or _current.get()
