"""Errors as problems, each with its status and its slug."""

import sys
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views import defaults
from rest_framework import exceptions

from accounts.errors import Invalid, Missing, OperationError
from api.outages import unavailable
from api.problem_details import is_api, problem
from api.throttles import TooManyRequests

_SLUGS = {
    "authentication_failed": "unauthorized",
    "invalid": "invalid-request",
    "not_authenticated": "unauthorized",
    "parse_error": "malformed-body",
    "permission_denied": "missing-scope",
}
"""Slugs of REST framework's own codes; those of ours are their own slug."""


def refusal_problem(refusal: OperationError) -> HttpResponse:
    """What an operation refused: Missing is 404, Invalid 422, and what the present state forbids 409."""
    status = 404 if isinstance(refusal, Missing) else 422 if isinstance(refusal, Invalid) else 409
    errors = {name: [message] for name, message in refusal.errors.items()}
    return problem(status=status, slug=refusal.code, detail=refusal.detail, errors=errors)


def problem_response(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """REST framework's exception handler. None for a bug, which then goes to the log and to `server_error`."""
    if isinstance(error, OperationError):
        return refusal_problem(error)
    if isinstance(error, Http404):
        return _not_found()
    if isinstance(error, PermissionDenied):
        return problem(status=403, slug="forbidden", detail="This is not allowed.")
    if isinstance(error, UnreadablePostError):
        return problem(status=400, slug="malformed-body", detail="The body broke off.")
    if isinstance(error, exceptions.APIException):
        return _api_problem(error)
    # In debug mode Django would answer with a page, which is of no use to a client.
    return unavailable(request=context["request"], error=error)


def _api_problem(error: exceptions.APIException) -> HttpResponse:
    errors = None
    detail = str(error.detail)
    if isinstance(error, exceptions.ValidationError):
        errors = _errors_by_field(error.detail)
        detail = "Some values can't be accepted; `errors` names them."
    headers = {"WWW-Authenticate": error.auth_header} if hasattr(error, "auth_header") else {}
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(error.wait)
    slug = _SLUGS.get(error.default_code, error.default_code.replace("_", "-"))
    return problem(status=error.status_code, slug=slug, detail=detail, errors=errors, headers=headers)


def _errors_by_field(detail: Any) -> dict[str, list[str]]:
    by_field = detail if isinstance(detail, dict) else {"request": detail}
    found: dict[str, list[str]] = {}
    for name, messages in by_field.items():
        _add_errors(found, str(name), messages)
    return found


def _add_errors(found: dict[str, list[str]], name: str, messages: Any) -> None:
    """Add a field's messages; those of a field within a list are named `lines.0.amount_minor`."""
    if isinstance(messages, dict):
        for inner, its_messages in messages.items():
            _add_errors(found, name if inner == "non_field_errors" else f"{name}.{inner}", its_messages)
        return
    for index, message in enumerate(messages):
        if isinstance(message, dict):
            _add_errors(found, f"{name}.{index}", message)
        else:
            found.setdefault(name, []).append(str(message))


def _not_found() -> HttpResponse:
    return problem(status=404, slug="not-found", detail="There is nothing here.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler400`: a request that Django itself refuses, such as one for a foreign host.

    Or one whose session it could not save: that may be the database's trouble.
    """
    if answer := unavailable(request=request, error=exception):
        return answer
    if is_api(request):
        return problem(status=400, slug="bad-request", detail="The request can't be understood.")
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler404`."""
    return _not_found() if is_api(request) else defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """`handler500`: what went wrong is in the log and nowhere else. The database's trouble is 503, wherever it was met:
    in a view, or in the middleware that saves a session.
    """
    error = sys.exception()
    if isinstance(error, Exception) and (answer := unavailable(request=request, error=error)):
        return answer
    if is_api(request):
        return problem(status=500, slug="internal-error", detail="The server failed; nothing was changed.")
    return defaults.server_error(request)
