"""Reading bodies: JSON objects, within bounds, or a clear refusal."""

import json
import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

MOST_DEPTH = 20
"""How deep objects and lists may lie in each other."""
_MINUS_ZERO = -0.0


class BodyTooLarge(APIException):
    status_code = 413
    default_code = "body_too_large"


class BoundedJSONParser(BaseParser):
    """One JSON object in UTF-8, of at most `DATA_UPLOAD_MAX_MEMORY_SIZE` bytes.

    Stricter than Python's reader, because what is read is stored, hashed and sent back: a key given twice, a number
    that is not finite or has more digits than a double holds, half of a surrogate pair, and a depth that could exhaust
    the stack are refused.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The body. Raises `BodyTooLarge` without reading all of it, and `ParseError`."""
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        too_large = BodyTooLarge(f"The body is larger than {most} bytes.")
        announced = parser_context["request"].META.get("CONTENT_LENGTH") if parser_context else None
        if announced and announced.isdecimal() and int(announced) > most:
            raise too_large
        raw = stream.read(most + 1)
        if len(raw) > most:
            raise too_large
        return json_object(raw)


def json_object(raw: bytes) -> dict[str, Any]:
    """The JSON object that these bytes hold. Raises `ParseError`."""
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=_exact,
            parse_int=_whole,
            parse_constant=_not_a_number,
        )
    except UnicodeDecodeError:
        raise ParseError("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise ParseError(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise ParseError(f"The body is more than {MOST_DEPTH} levels deep.") from None
    except ValueError as error:  # of the hooks below, or a number of thousands of digits
        message = str(error) if isinstance(error, _Refused) else "A number in the body is too long."
        raise ParseError(message) from None
    if not isinstance(value, dict):
        raise ParseError("The body is not a JSON object.")
    _check_within(value)
    return value


class _Refused(ValueError):
    """A value that JSON's grammar allows and this API doesn't."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Refused("A key stands twice in one object of the body.")
    return value


def _exact(text: str) -> float:
    """The number that the text says, and not the nearest one that a double holds."""
    number = float(text)
    if not math.isfinite(number):
        raise _Refused("A number in the body is out of range.")
    try:
        exact = Decimal(repr(number)) == Decimal(text)
    except InvalidOperation:  # an exponent of some twenty digits
        exact = False
    if not exact:
        raise _Refused("A number in the body has more digits than are kept: write it as a text.")
    return number


def _whole(text: str) -> int | float:
    """As an integer, -0 would lose its sign."""
    return _MINUS_ZERO if text == "-0" else int(text)


def _not_a_number(name: str) -> Any:
    raise _Refused(f"{name} is not a JSON value.")


def _check_within(body: dict[str, Any]) -> None:
    """Refuse too deep a body, and text that can't be written as UTF-8. Without recursion, whatever the depth."""
    left: list[tuple[Any, int]] = [(body, 1)]
    while left:
        value, depth = left.pop()
        if isinstance(value, str):
            _check_unicode(value)
        elif isinstance(value, dict | list):
            if depth > MOST_DEPTH:
                raise ParseError(f"The body is more than {MOST_DEPTH} levels deep.")
            inner = [*value, *value.values()] if isinstance(value, dict) else value
            left += [(item, depth + 1) for item in inner]


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ParseError("Half of a surrogate pair stands in a text of the body.") from None
