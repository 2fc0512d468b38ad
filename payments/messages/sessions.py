"""The messages about payment method sessions: those to open, or to look up. At most 500 in each."""

import uuid
from dataclasses import dataclass
from typing import Any, ClassVar

from payments.messages.attempts import read_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsMessage:
    """Sessions to open or to look up. `faults` says of a message that was read which of its items make no sense."""

    SCHEMA: ClassVar = "sessions/1"

    sessions: tuple[uuid.UUID, ...]
    faults: tuple[str, ...] = ()

    def content(self) -> dict[str, Any]:
        return {"schema": self.SCHEMA, "sessions": [str(session) for session in self.sessions]}


def read_sessions(content: object) -> SessionsMessage:
    """Raises `MalformedMessage`. An item that makes no sense fails alone; the message fails when none does."""
    sessions, faults = read_ids(content, "sessions")
    return SessionsMessage(sessions=sessions, faults=faults)
