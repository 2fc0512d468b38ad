"""The kinds of events that Lambda may be invoked with. Any other event has no kind, and no handler."""

import enum
from collections.abc import Mapping
from typing import Any

from billing_site.errors import UnroutedEvent
from billing_site.lambda_function.duties import Duty, duties

COMMANDS = ("sweep", "reconcile")
"""The commands of the schedules."""


class Kind(enum.Enum):
    HTTP = "http"
    SCHEDULE = "schedule"
    QUEUE = "queue"
    ROTATION = "rotation"
    MANAGE = "manage"


SERVED_BY = {
    Kind.HTTP: frozenset({Duty.API}),
    Kind.SCHEDULE: frozenset({Duty.WORKER}),
    Kind.QUEUE: frozenset({Duty.WORKER}),
    Kind.ROTATION: frozenset({Duty.MIGRATE}),
    # Which command it may be is another list: billing_site/lambda_function/commands.py.
    Kind.MANAGE: frozenset(Duty),
}

# On any of these keys Zappa would run code, or drop the event silently.
_NEVER_IN_HTTP = {"command", "raw_command", "manage", "Records", "detail-type", "bot", "triggerSource", "awslogs"}
_ROTATION = {"Step", "SecretId", "ClientRequestToken"}


def kind_of(event: Any) -> Kind:
    """The event's kind. Raises `UnroutedEvent` when it has none, or isn't for this function."""
    kind = _kind(event) if isinstance(event, Mapping) else None
    if kind is None:
        keys = sorted(map(str, event)) if isinstance(event, Mapping) else type(event).__name__
        raise UnroutedEvent(f"no handler for an event with the keys {keys}")
    if not SERVED_BY[kind] & duties():
        raise UnroutedEvent(f"an event of the kind {kind.value} isn't for a function with the duty {_here()}")
    return kind


def _kind(event: Mapping[str, Any]) -> Kind | None:
    keys = set(event)
    http = _is_http(event)
    found = {
        Kind.SCHEDULE: keys == {"command", "time"} and event["command"] in COMMANDS,
        Kind.QUEUE: keys == {"Records"} and isinstance(event["Records"], list) and bool(event["Records"]),
        Kind.MANAGE: keys == {"manage"} and isinstance(event["manage"], str),
        Kind.ROTATION: keys >= _ROTATION and not keys & _NEVER_IN_HTTP and not http,
        Kind.HTTP: http and not keys & (_NEVER_IN_HTTP | _ROTATION),
    }
    # No two are true at once.
    return next((kind for kind, is_so in found.items() if is_so), None)


def _is_http(event: Mapping[str, Any]) -> bool:
    """REST API (v1); HTTP API and function URL (v2). Load balancers and websockets aren't used."""
    context = event.get("requestContext")
    if not isinstance(context, Mapping) or "elb" in context or "eventType" in context:
        return False
    if event.get("version") == "2.0":
        return isinstance(context.get("http"), Mapping) and isinstance(event.get("rawPath"), str)
    # Without a method Zappa would look for another kind of event in it.
    return bool(event.get("httpMethod")) and isinstance(event.get("path"), str)


def _here() -> str:
    return ", ".join(sorted(duties()))
