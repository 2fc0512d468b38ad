"""Reasons that people give. Nothing that a person does to money or to an account goes without one."""

from accounts.refusals import Invalid
from accounts.text import text_error

LONGEST = 500


class ReasonMissing(Invalid):
    code = "reason-missing"


def checked_reason(reason: str) -> str:
    """The reason, stripped. Raises `ReasonMissing` when it is blank, longer than 500 characters or no plain text."""
    stripped = reason.strip()
    if not stripped:
        raise ReasonMissing("A reason is needed.", reason="Say why.")
    if len(stripped) > LONGEST:
        raise ReasonMissing("The reason is too long.", reason=f"At most {LONGEST} characters.")
    if error := text_error(stripped):
        raise ReasonMissing("The reason can't be accepted.", reason=error)
    return stripped


def signed(reason: str, author: str) -> str:
    """The reason with who gave it, as it is kept with a row."""
    return f"{reason} ({author})"[:LONGEST]
