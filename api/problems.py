"""Problem details (RFC 9457): how every error of the API reads.

`type` is the path of a stable slug, `/problems/unknown-plan`: clients compare it and don't fetch it. `title` is the
slug in words, `detail` says what to mend, and `errors` names the fields, each with its messages, where there are any.
"""

import json
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views import defaults
from rest_framework import exceptions

from accounts.refusals import Invalid, Missing, Refusal

PROBLEM_TYPE = "application/problem+json"

MOST_ERRORS = 50
MOST_FIELD_NAME = 100

_SLUGS = {
    "authentication_failed": "unauthorized",
    "invalid": "invalid-request",
    "not_authenticated": "unauthorized",
    "parse_error": "malformed-body",
    "permission_denied": "missing-scope",
}
"""Slugs of REST framework's own codes; those of ours are their own slug."""


def problem(
    *,
    status: int,
    slug: str,
    detail: str,
    errors: Mapping[str, list[str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """The answer that describes one error."""
    body: dict[str, Any] = {
        "type": f"/problems/{slug}",
        "title": slug.replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
    }
    if errors:
        # A client's own field names come back to it, so their number and length have a bound.
        body["errors"] = {name[:MOST_FIELD_NAME]: errors[name] for name in list(errors)[:MOST_ERRORS]}
    return HttpResponse(json.dumps(body), status=status, content_type=PROBLEM_TYPE, headers=headers)


def refusal_problem(refusal: Refusal) -> HttpResponse:
    """What an operation refused: Missing is 404, Invalid 422, and what the present state forbids 409."""
    status = 404 if isinstance(refusal, Missing) else 422 if isinstance(refusal, Invalid) else 409
    errors = {name: [message] for name, message in refusal.errors.items()}
    return problem(status=status, slug=refusal.code, detail=refusal.detail, errors=errors)


def problem_response(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """REST framework's exception handler. None for a bug, which then goes to the log and to `server_error`."""
    if isinstance(error, Refusal):
        return refusal_problem(error)
    if isinstance(error, Http404):
        return _not_found()
    if isinstance(error, PermissionDenied):
        return problem(status=403, slug="forbidden", detail="This is not allowed.")
    if isinstance(error, UnreadablePostError):
        return problem(status=400, slug="malformed-body", detail="The body broke off.")
    if isinstance(error, exceptions.APIException):
        return _api_problem(error)
    return None


def _api_problem(error: exceptions.APIException) -> HttpResponse:
    errors = None
    detail = str(error.detail)
    if isinstance(error, exceptions.ValidationError):
        errors = _errors_by_field(error.detail)
        detail = "Some values can't be accepted; `errors` names them."
    headers = {"WWW-Authenticate": error.auth_header} if hasattr(error, "auth_header") else None
    slug = _SLUGS.get(error.default_code, error.default_code.replace("_", "-"))
    return problem(status=error.status_code, slug=slug, detail=detail, errors=errors, headers=headers)


def _errors_by_field(detail: Any) -> dict[str, list[str]]:
    by_field = detail if isinstance(detail, dict) else {"request": detail}
    return {str(name): [str(message) for message in messages] for name, messages in by_field.items()}


def _not_found() -> HttpResponse:
    return problem(status=404, slug="not-found", detail="There is nothing here.")


def is_api(request: HttpRequest) -> bool:
    """Whether the API answers this path; the rest of the site has pages."""
    return request.path_info.startswith("/v1/") or request.path_info in ("/v1", "/healthz")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler400`: a request that Django itself refuses, such as one for a foreign host."""
    if is_api(request):
        return problem(status=400, slug="bad-request", detail="The request can't be understood.")
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler404`."""
    return _not_found() if is_api(request) else defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """`handler500`: what went wrong is in the log and nowhere else."""
    if is_api(request):
        return problem(status=500, slug="internal-error", detail="The server failed; nothing was changed.")
    return defaults.server_error(request)
