"""The calls in OpenAPI: each with its parameters, its answer and its problems."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal, TypeVar

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from accounts.billing_calendar import FIRST_DAY, LAST_DAY
from api.idempotency import HEADER, REPLAYED
from api.problem_details import PROBLEM_TYPE

REQUEST_ID = "^[A-Za-z0-9._-]{1,128}$"

View = TypeVar("View", bound=Callable[..., Any])


class ProblemSerializer(serializers.Serializer[Any]):
    """An RFC 9457 problem."""

    type = serializers.CharField(help_text="What went wrong, as a stable slug: `/problems/unknown-plan`.")
    title = serializers.CharField(help_text="The slug in words.")
    status = serializers.IntegerField(help_text="The HTTP status.")
    detail = serializers.CharField(help_text="What was refused, and why.")
    errors = serializers.DictField(  # type: ignore[assignment] # a field; the class keeps its property
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="How to fix it, by field or parameter.",
    )


_PROBLEMS = {
    400: "The request is malformed: an unknown or misshapen field or parameter, a bad cursor, a bad header.",
    401: "The key is missing, wrong, expired or revoked.",
    403: "The key lacks the scope that this call needs.",
    404: "There is no such thing.",
    409: "The present state forbids it, or the same request is already being worked on.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    422: "A value can't be accepted, or the Idempotency-Key was used for another body.",
    429: "Too many requests, or too many without a valid key. Send it again after `Retry-After`.",
    503: "The database is unreachable, full, read-only, slow or restarting. Send it again after `Retry-After`.",
}
_OF_A_KEY = (401, 403, 429)
_OF_A_CHANGE = (409, 413, 415, 422)

DAY = {
    "type": "string",
    "format": "date",
    # OpenAPI 3.0 has no bounds of dates.
    "x-minimum": FIRST_DAY.isoformat(),
    "x-maximum": LAST_DAY.isoformat(),
}
DAYS = f"From {FIRST_DAY} to {LAST_DAY}."


def call(
    operation_id: str,
    *,
    tag: str,
    summary: str,
    scope: str | None,
    description: str = "",
    request: Any = None,
    response: Any,
    status: int = 200,
    dry_run: bool = False,
    missing: bool = False,
    refused: bool = False,
    media_type: str = "",
    idempotency_key: Literal["required", "optional"] | None = None,
    parameters: Sequence[OpenApiParameter] = (),
    examples: Sequence[OpenApiExample] = (),
) -> Callable[[View], View]:
    """Describe one call: its parameters, its answer, and the problems that it may answer with instead. A `dry_run`
    makes nothing, and answers the same with 200. A call that only reads may be `refused` all the same. The answer is
    JSON, or of the `media_type`.
    """

    def described() -> Callable[[View], View]:
        problems = [400, 503]
        problems += _OF_A_KEY if scope else []
        problems += [404] if missing else []
        problems += [409] if refused else []
        problems += _OF_A_CHANGE if idempotency_key else []
        answer: Any = (status, media_type) if media_type else status
        responses: dict[Any, Any] = {answer: OpenApiResponse(response, description=summary + ".")}
        if dry_run:
            responses[200] = OpenApiResponse(response, description="The answer of a dry run.")
        responses |= {
            (code, PROBLEM_TYPE): OpenApiResponse(ProblemSerializer, description=_PROBLEMS[code]) for code in problems
        }
        needs = f"Needs the scope `{scope}`." if scope else "Needs no key."
        return extend_schema(
            operation_id=operation_id,
            tags=[tag],
            summary=summary,
            description=f"{description} {needs}".strip(),
            request=request,
            responses=responses,
            auth=None if scope else [],
            parameters=[
                *parameters,
                *_idempotency(idempotency_key, status),
                *_headers(status),
                *_rate_limit(scope, status),
            ],
            examples=list(examples),
        )

    def kept(view: View) -> View:
        # `api.schema_hooks` calls it when the description is asked for: a start does without most of drf-spectacular.
        view.describe = cache(lambda: described()(view))  # type: ignore[attr-defined]
        return view

    return kept


def _idempotency(needed: str | None, status: int) -> list[OpenApiParameter]:
    if needed is None:
        return []
    return [
        OpenApiParameter(
            HEADER,
            {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
            OpenApiParameter.HEADER,
            required=needed == "required",
            description="Makes the call safe to repeat: the same key and body get the first answer again, for 24 hours "
            "at least; the same key with another body is 422. It belongs to the client (an API key that replaces "
            "another keeps its client), the method and the path. Not kept are a 404, a 409 that waiting changes and an "
            "error of the server: after those the same request is done as if it were new.",
        ),
        OpenApiParameter(
            REPLAYED,
            {"type": "string", "enum": ["true"]},
            OpenApiParameter.HEADER,
            response=[status, 409, 422],
            description="There when the answer is that of an earlier request with the same Idempotency-Key.",
        ),
    ]


def _rate_limit(scope: str | None, status: int) -> list[OpenApiParameter]:
    if scope is None:
        return []
    said = {
        "Limit": "Requests that may be made in a minute: the client's or its address's limit, whichever leaves less.",
        "Remaining": "Requests that are left in this minute.",
        "Reset": "Seconds until the next minute begins, with all of the limit.",
    }
    return [
        OpenApiParameter(
            f"RateLimit-{name}",
            {"type": "integer", "minimum": 0},
            OpenApiParameter.HEADER,
            response=[status, 429],
            description=f"{text} Not there where no limit is set.",
        )
        for name, text in said.items()
    ]


def _headers(status: int) -> list[OpenApiParameter]:
    headers = [
        OpenApiParameter(
            "X-Request-Id",
            {"type": "string", "pattern": REQUEST_ID},
            OpenApiParameter.HEADER,
            response=True,
            description="The request's name in our log: the client's own, where it sent a well-formed one.",
        ),
        OpenApiParameter(
            "Retry-After",
            {"type": "integer", "minimum": 1},
            OpenApiParameter.HEADER,
            response=[429, 503],
            description="Seconds after which to send the request again.",
        ),
    ]
    location = OpenApiParameter(
        "Location",
        {"type": "string", "format": "uri-reference"},
        OpenApiParameter.HEADER,
        response=[status],
        description="Where what was made is found.",
    )
    return [*headers, location] if status in (201, 202) else headers
