"""503: the answer to a request while the database is in trouble, and its line in the log."""

import logging
from typing import cast

from django.http import HttpRequest, HttpResponse
from django.utils.log import log_response
from django.views.defaults import ERROR_PAGE_TEMPLATE

from accounts.database_errors import database_trouble, one_line, sqlstate_of
from api.problem_details import is_api, problem

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5
SLUG = "database-unavailable"


def unavailable(*, request: HttpRequest, error: Exception) -> HttpResponse | None:
    """The answer to a request that met the database's trouble, as a problem or a page. None for any other error."""
    if trouble := database_trouble(error):
        return _answer(request, trouble=trouble, sqlstate=sqlstate_of(error), error=one_line(error))
    return None


def read_only(*, request: HttpRequest) -> HttpResponse:
    """The health check's answer while the database accepts no writes."""
    return _answer(request, trouble="The database is read-only.", sqlstate="", error="transaction_read_only is on")


def _answer(request: HttpRequest, *, trouble: str, sqlstate: str, error: str) -> HttpResponse:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    if is_api(request):
        advice = "Send the request again in some seconds; with the same Idempotency-Key it is done once."
        response = problem(status=503, slug=SLUG, detail=f"{trouble} {advice}", headers=headers)
    else:
        details = f"{trouble} Try again in some seconds."
        page = ERROR_PAGE_TEMPLATE % {"title": "Service unavailable", "details": details}
        response = HttpResponse(page, status=503, headers=headers | {"Cache-Control": "no-store"})
    # Django's own function also marks the response, so that its handlers don't log it a second time, with a traceback.
    said = {"event": "database.unavailable", "sqlstate": sqlstate, "error": error}
    line = cast(logging.Logger, logging.LoggerAdapter(logger, said))  # it has the methods that are called
    log_response("%s %s: %s", request.method, request.path, trouble, response=response, request=request, logger=line)
    return response
