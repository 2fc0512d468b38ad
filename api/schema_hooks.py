"""What drf-spectacular calls when the description is asked for, and the shapes of our own fields. Loaded only then."""

from typing import Any

from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)

from api.schema import DAY


def describe_calls(endpoints: list[tuple[str, str, str, Any]], **_: Any) -> list[tuple[str, str, str, Any]]:
    """A hook of drf-spectacular: gives it what `api.schema.call` kept about each call."""
    for _path, _regex, method, view in endpoints:
        getattr(view.cls, method.lower()).describe()
    return endpoints


def share_enums(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A hook of drf-spectacular: a filter whose values are those of a component names it, and lists none of them."""
    components = result["components"]["schemas"].items()
    shared = {frozenset(shape["enum"]): name for name, shape in components if "enum" in shape}
    for methods in result["paths"].values():
        for described in methods.values():
            for parameter in described.get("parameters", []):
                name = shared.get(frozenset(parameter["schema"].get("enum", ())))
                if name:
                    parameter["schema"] = {"$ref": f"#/components/schemas/{name}"}
    return result


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


class WholeNumberShape(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A whole number with its bounds."""

    target_class = "api.fields.WholeNumber"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        bounds = {"minimum": self.target.minimum, "maximum": self.target.maximum}
        return {"type": "integer", "format": "int64"} | bounds


class DayShape(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A date that a body holds, with its bounds."""

    target_class = "api.fields.Day"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return DAY


class WordOrDayShape(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A word or a date, as a pattern."""

    target_class = "api.fields.WordOrDay"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "string", "pattern": self.target.pattern}


class BodyShape(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Bodies take the fields that they name and no other."""

    target_class = "api.endpoints.Body"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        shape: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return shape | {"additionalProperties": False}
