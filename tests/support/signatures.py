"""Who does something, when and why, as operations take it."""

from typing import Any


def undated(signed: dict[str, Any]) -> dict[str, Any]:
    """The same, for an operation that asks for no billing day."""
    return {name: value for name, value in signed.items() if name != "today"}
