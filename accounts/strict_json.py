"""Reading a JSON object that is stored and comes back as it was sent: more strictly than Python's own reader.

It refuses a key given twice, a number that is not finite or has more digits than a double holds, half of a surrogate
pair, and a depth that could exhaust the stack. Each would be lost, or come back as something else.
"""

import json
import math
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from accounts.text import is_unicode

_MINUS_ZERO = -0.0


class UnreadableJson(ValueError):
    """The text can't be read as JSON, or wouldn't come back as it was sent; the message is a sentence without its
    full stop.
    """


def read_object(text: str, *, place: str, max_levels: int) -> dict[str, Any]:
    """The JSON object that the text holds, with objects and lists at most `max_levels` deep in each other.

    `place` is what the errors call the text ("body"). Raises `UnreadableJson`.
    """
    too_deep = UnreadableJson(f"The {place} is more than {max_levels} levels deep")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_exact,
            parse_int=_whole,
            parse_constant=_not_a_number,
        )
    except json.JSONDecodeError as error:
        where = f"at line {error.lineno}, column {error.colno}"
        raise UnreadableJson(f"The {place} is not JSON: {error.msg} {where}") from None
    except RecursionError:
        raise too_deep from None
    except _Refused as refused:
        raise UnreadableJson(str(refused).format(place=place)) from None
    except ValueError:  # a number of thousands of digits
        raise UnreadableJson(f"A number in the {place} is too long") from None
    if not isinstance(value, dict):
        raise UnreadableJson(f"The {place} is not a JSON object")
    for item, level in _walk(value):
        if isinstance(item, str):
            if not is_unicode(item):
                raise UnreadableJson(f"A text in the {place} holds half of a surrogate pair")
        elif level > max_levels:
            raise too_deep
    return value


class _Refused(ValueError):
    """A value that JSON's grammar allows and this reader doesn't; the message has a `{place}`."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Refused("A key is given twice in one object of the {place}")
    return value


def _exact(text: str) -> float:
    """The number that the text says, and not the nearest one that a double holds."""
    number = float(text)
    if not math.isfinite(number):
        raise _Refused("A number in the {place} is out of range")
    try:
        exact = Decimal(repr(number)) == Decimal(text)
    except InvalidOperation:  # an exponent of some twenty digits
        exact = False
    if not exact:
        raise _Refused("A number in the {place} has more digits than are kept: write it as a text")
    return number


def _whole(text: str) -> int | float:
    """As an integer, -0 would lose its sign."""
    return _MINUS_ZERO if text == "-0" else int(text)


def _not_a_number(name: str) -> Any:
    raise _Refused(f"{name} is not a JSON value")


def _walk(value: dict[str, Any]) -> Iterator[tuple[Any, int]]:
    """Every text, key, object and list, with how many levels deep it lies. Without recursion, whatever the depth."""
    left: list[tuple[Any, int]] = [(value, 1)]
    while left:
        item, level = left.pop()
        if isinstance(item, str | dict | list):
            yield item, level
        if isinstance(item, dict):
            left += [(inner, level + 1) for inner in [*item, *item.values()]]
        elif isinstance(item, list):
            left += [(inner, level + 1) for inner in item]
