"""Reasons that people give. Every action of a person on money or on an account needs one."""

from accounts.errors import Invalid
from accounts.text import text_error

MAX_REASON_LENGTH = 500


class ReasonMissing(Invalid):
    code = "reason-missing"


def checked_reason(reason: str) -> str:
    """The reason, stripped. Raises `ReasonMissing` when it is blank, longer than 500 characters or no plain text."""
    stripped = reason.strip()
    if not stripped:
        raise ReasonMissing("A reason is needed.", reason="Say why.")
    if len(stripped) > MAX_REASON_LENGTH:
        raise ReasonMissing("The reason is too long.", reason=f"At most {MAX_REASON_LENGTH} characters.")
    if error := text_error(stripped):
        raise ReasonMissing("The reason can't be accepted.", reason=error)
    return stripped


def signed(reason: str, author: str) -> str:
    """The reason with its author, as it is stored with a row."""
    return f"{reason} ({author})"[:MAX_REASON_LENGTH]
