"""The Content-Security-Policy of every page: everything comes from this site, and nothing stands inline."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

GetResponse = Callable[[HttpRequest], HttpResponseBase]

HEADER = "Content-Security-Policy"
POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


def restrict_content(get_response: GetResponse) -> GetResponse:
    """Middleware: sets it on each answer, those of the API included."""

    def restricted(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response[HEADER] = POLICY
        return response

    return restricted
