"""Stripe's wire format: form-encoded requests, JSON answers, error and list objects (https://docs.stripe.com/api)."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

MAX_PAGE_SIZE = 100

_PARTS = re.compile(r"[^\[\]]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request: its name (`payment.create`), its parameters, the id in its path, its idempotency key."""

    name: str
    params: dict[str, Any]
    id: str = ""
    key: str = ""

    @property
    def moves_money(self) -> bool:
        return self.name in {"payment.create", "refund.create"}

    @property
    def is_done_once(self) -> bool:
        """Whether its answer is kept under its idempotency key."""
        return self.moves_money or self.name in {"customer.create", "setup_intent.create"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class ErrorAnswer(Exception):
    """An error object of Stripe's, raised where the request turns out to be refused."""

    def __init__(self, status: int, type_: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.answer = answered({"error": {"type": type_, "message": message, **more}}, status=status)


def invalid(message: str, *, status: int = 400, **more: Any) -> ErrorAnswer:
    return ErrorAnswer(status, "invalid_request_error", message, **more)


def too_often(*, retry_after_seconds: float | None = None) -> ErrorAnswer:
    """It may name whole seconds to wait."""
    refusal = ErrorAnswer(429, "invalid_request_error", "Too many requests", code="rate_limit")
    if retry_after_seconds is not None:
        refusal.answer.headers["Retry-After"] = f"{retry_after_seconds:.0f}"
    return refusal


def missing(what: str, *, param: str, status: int = 400) -> ErrorAnswer:
    return invalid(f"No such {what}", status=status, code="resource_missing", param=param)


def answered(body: dict[str, Any], *, status: int = 200) -> Answer:
    return Answer(status=status, body=json.dumps(body).encode())


def form(text: str) -> dict[str, Any]:
    """`a=1&b[c]=2` reads `{"a": "1", "b": {"c": "2"}}`."""
    read: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        *outer, last = _PARTS.findall(name)
        place = read
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = value
    return read


def whole_number(params: dict[str, Any], name: str, *, minimum: int = 1) -> int:
    """Raises ErrorAnswer for anything but a whole number of at least `minimum`."""
    text = params.get(name)
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or int(text) < minimum:
        raise invalid(f"Invalid integer: {text}", code="parameter_invalid_integer", param=name)
    return int(text)


def ensure_known(params: dict[str, Any], known: set[str]) -> None:
    if unknown := sorted(params.keys() - known):
        raise invalid(f"Received unknown parameter: {unknown[0]}", code="parameter_unknown", param=unknown[0])


def page(objects: Sequence[dict[str, Any]], params: dict[str, Any], *, url: str) -> Answer:
    """A page of `objects`, which are newest first: after `starting_after`, at most `limit` (10)."""
    limit = whole_number(params, "limit") if "limit" in params else 10
    if limit > MAX_PAGE_SIZE:
        raise invalid(f"Limit can't be more than {MAX_PAGE_SIZE}", param="limit")
    start = 0
    if after := params.get("starting_after"):
        ids = [found["id"] for found in objects]
        if after not in ids:
            raise missing(f"object: '{after}'", param="starting_after")
        start = ids.index(after) + 1
    shown = list(objects[start : start + limit])
    return answered({"object": "list", "url": url, "data": shown, "has_more": len(objects) > start + limit})
