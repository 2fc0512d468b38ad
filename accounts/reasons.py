"""Reasons that people give. Every action of a person on money or on an account needs one."""

from accounts.errors import Invalid
from accounts.text import text_error

MAX_REASON_LENGTH = 500


class InvalidReason(Invalid):
    """The reason is missing, too long, or no plain text of one line."""

    code = "invalid-reason"


class ReasonMissing(InvalidReason):
    code = "reason-missing"


def checked_reason(reason: str) -> str:
    """The reason, stripped. Raises `ReasonMissing` for a blank one, `InvalidReason` for one over 500 characters or no
    plain text.
    """
    stripped = reason.strip()
    if not stripped:
        raise ReasonMissing("A reason is needed.", reason="Say why.")
    if len(stripped) > MAX_REASON_LENGTH:
        raise InvalidReason("The reason is too long.", reason=f"At most {MAX_REASON_LENGTH} characters.")
    if error := text_error(stripped):
        raise InvalidReason("The reason can't be accepted.", reason=error)
    return stripped


def signed(reason: str, author: str) -> str:
    """The reason with its author, as it is stored with a row."""
    return f"{reason} ({author})"[:MAX_REASON_LENGTH]
