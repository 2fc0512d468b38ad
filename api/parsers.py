"""Reading bodies: JSON objects, within bounds, or a clear refusal."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

from accounts.metadata import MAX_METADATA_LEVELS
from accounts.strict_json import UnreadableJson, read_object

MAX_LEVELS = MAX_METADATA_LEVELS + 1
"""How deep objects and lists of a body may lie in each other: an account's metadata is one level down."""


class BodyTooLarge(APIException):
    status_code = 413
    default_code = "body_too_large"


class BoundedJSONParser(BaseParser):
    """One JSON object in UTF-8, of at most `DATA_UPLOAD_MAX_MEMORY_SIZE` bytes.

    Read strictly, because what is read is stored, hashed and sent back.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The body. Raises `BodyTooLarge` without reading all of it, and `ParseError`."""
        max_bytes = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        too_large = BodyTooLarge(f"The body is larger than {max_bytes} bytes.")
        announced = parser_context["request"].META.get("CONTENT_LENGTH") if parser_context else None
        if announced and announced.isdecimal() and int(announced) > max_bytes:
            raise too_large
        raw = stream.read(max_bytes + 1)
        if len(raw) > max_bytes:
            raise too_large
        return json_object(raw)


def json_object(raw: bytes) -> dict[str, Any]:
    """The JSON object that these bytes hold. Raises `ParseError`."""
    try:
        return read_object(raw.decode("utf-8"), place="body", max_levels=MAX_LEVELS)
    except UnicodeDecodeError:
        raise ParseError("The body is not UTF-8.") from None
    except UnreadableJson as error:
        raise ParseError(f"{error}.") from None
