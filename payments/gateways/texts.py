"""Texts that a gateway gives us, and how long they may be to be kept: its ids and its codes."""

MAX_REFERENCE_LENGTH = 200
MAX_CODE_LENGTH = 100


def unkeepable_text(what: str, text: object, *, max_length: int, min_length: int = 1) -> str:
    """Why a text can't be kept, or an empty string. Nothing is said of the text itself, which may be a secret."""
    if not isinstance(text, str):
        return f"the gateway's {what} is a {type(text).__name__}"
    if not min_length <= len(text) <= max_length:
        return f"the gateway's {what} has {len(text)} characters, not {min_length} to {max_length}"
    return "" if text.isprintable() else f"the gateway's {what} has characters that can't be printed"
