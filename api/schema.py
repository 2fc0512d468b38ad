"""How the calls are described in OpenAPI."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from api.idempotency import HEADER, REPLAYED
from api.problem_details import PROBLEM_TYPE

View = TypeVar("View", bound=Callable[..., Any])


class ProblemSerializer(serializers.Serializer[Any]):
    """An RFC 9457 problem."""

    type = serializers.CharField(help_text="What went wrong, as a stable slug: `/problems/unknown-plan`.")
    title = serializers.CharField(help_text="The slug in words.")
    status = serializers.IntegerField(help_text="The HTTP status.")
    detail = serializers.CharField(help_text="What to mend.")
    errors = serializers.DictField(  # type: ignore[assignment] # a field; the class keeps its property
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="Messages by field or parameter.",
    )


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The security scheme of `ApiKeyAuthentication`."""

    target_class = "api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "sk_...",
            "description": "A key made by `manage.py create_api_key`. Each call names the scope that it needs.",
        }


class BodyShape(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Bodies take the fields that they name and no other."""

    target_class = "api.endpoints.Body"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        shape: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return shape | {"additionalProperties": False}


_PROBLEMS = {
    400: "The request is malformed: an unknown or misshapen field or parameter, a bad cursor, a bad header.",
    401: "The key is missing, wrong, expired or revoked.",
    403: "The key lacks the scope that this call needs.",
    404: "There is no such thing.",
    409: "The present state forbids it, or a twin of this request is being worked on.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    422: "A value can't be accepted, or the Idempotency-Key was used for another body.",
    503: "The database can't be reached.",
}
_REFUSED_BODY = (413, 415, 422)


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
    missing: bool = False,
    also: Sequence[int] = (),
    idempotency_key: Literal["required", "optional"] | None = None,
    parameters: Sequence[OpenApiParameter] = (),
    examples: Sequence[OpenApiExample] = (),
) -> Callable[[View], View]:
    """Describe one call: what it takes and answers, and with which problems it may answer instead."""
    problems = [400, *also]
    problems += [401, 403] if scope else []
    problems += [404] if missing else []
    problems += [409] if idempotency_key else []
    problems += [*_REFUSED_BODY] if request is not None else []
    responses: dict[Any, Any] = {status: OpenApiResponse(response, description=summary + ".")}
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
        parameters=[*parameters, *_idempotency(idempotency_key, status)],
        examples=list(examples),
    )


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
            "at least. It belongs to the API key, the method and the path.",
        ),
        OpenApiParameter(
            REPLAYED,
            {"type": "string", "enum": ["true"]},
            OpenApiParameter.HEADER,
            response=[status, 409, 422],
            description="There when the answer is that of an earlier request with the same Idempotency-Key.",
        ),
    ]
