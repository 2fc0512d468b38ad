"""Reading messages strictly: one JSON object each, versioned, with just the fields that it should have."""

import datetime
import json
import uuid
from collections.abc import Callable
from typing import Any, NoReturn, Protocol, TypeVar

from accounts.ids import id_of

T = TypeVar("T")

MAX_ITEMS = 500
"""Of each kind in one message."""


class MalformedMessage(ValueError):
    """The message isn't one of ours, or its version is unknown. Nothing was charged; it belongs in the DLQ."""


class Message(Protocol):
    """What a queue carries."""

    def content(self) -> dict[str, Any]:
        """What its JSON says."""
        ...


def to_json(message: Message) -> str:
    """The message's body."""
    return json.dumps(message.content(), separators=(",", ":"))


def object_in(body: str) -> Any:
    """What the body holds. Raises `MalformedMessage` for what isn't JSON, or gives a field twice."""
    try:
        return json.loads(body, object_pairs_hook=_object_without_twins)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"not JSON: {error}") from error


def read_items(value: object, where: str, read: Callable[[object, str], T]) -> tuple[tuple[T, ...], tuple[str, ...]]:
    """The items of a list that make sense, each once, and what is wrong with the others."""
    items: dict[T, None] = {}
    faults = []
    for index, item in enumerate(_list(value, where)):
        try:
            found = read(item, f"{where}[{index}]")
        except MalformedMessage as fault:
            faults.append(str(fault))
            continue
        if found in items:
            faults.append(f"{where}[{index}] names {found} twice")
        items[found] = None
    return tuple(items), tuple(faults)


def read_object(value: object, where: str, fields: set[str]) -> dict[str, Any]:
    """The object, which has just these fields."""
    if not isinstance(value, dict):
        malformed(f"{where} is not an object")
    if value.keys() != fields:
        missing, unknown = sorted(fields - value.keys()), sorted(value.keys() - fields)
        malformed(f"{where}: missing fields {missing}, unknown fields {unknown}")
    return value


def read_uuid(value: object, where: str) -> uuid.UUID:
    try:
        parsed = id_of(value) if isinstance(value, str) else None
    except ValueError:
        parsed = None
    if parsed is None or str(parsed) != value:
        malformed(f"{where} is not a UUID in its usual form: {value!r}")
    return parsed


def read_date(value: object, where: str) -> datetime.date:
    try:
        parsed = datetime.date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        parsed = None
    if parsed is None or parsed.isoformat() != value:
        malformed(f"{where} is not a date, YYYY-MM-DD: {value!r}")
    return parsed


def malformed(what: str) -> NoReturn:
    raise MalformedMessage(what)


def _object_without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        malformed("an object has a field twice")
    return fields


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        malformed(f"{where} is not a list")
    if len(value) > MAX_ITEMS:
        malformed(f"{where} has {len(value)} items, more than {MAX_ITEMS}")
    return value
