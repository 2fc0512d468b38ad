"""Problem details (RFC 9457): how every error of the API reads.

`type` is the path of a stable slug, `/problems/unknown-plan`: clients compare it and don't fetch it. `title` is the
slug in words, `detail` says what was refused, and `errors`, where there are any, says by field how to fix it.
"""

import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

PROBLEM_TYPE = "application/problem+json"

MAX_ERRORS = 50
MAX_FIELD_NAME_LENGTH = 100


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
        body["errors"] = {name[:MAX_FIELD_NAME_LENGTH]: errors[name] for name in list(errors)[:MAX_ERRORS]}
    return HttpResponse(json.dumps(body), status=status, content_type=PROBLEM_TYPE, headers=headers)


def is_api(request: HttpRequest) -> bool:
    """Whether the API answers this path; the rest of the site has pages."""
    return request.path_info.startswith("/v1/") or request.path_info in ("/v1", "/healthz")
