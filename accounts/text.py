"""What a text that a person or a client gives may hold: names, references, reasons, descriptions.

Such a text is shown on pages, in statements, in logs and in files. A character that would break a line, hide itself or
reverse the text around it is refused, never silently removed.
"""

import unicodedata

_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Unicode's Bidi_Control: they make a text read otherwise than it is kept."""

_LINE_BREAKS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
"""What Python, a browser or a spreadsheet takes for the end of a line."""

_BLANK_RANGES = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
"""Variation selectors, which say how the character before them looks."""

_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\ufffc").union(
    *(map(chr, codes) for codes in _BLANK_RANGES)
)
"""Characters of other categories than spaces and formats that show nothing by themselves."""


def text_error(text: str) -> str:
    """Why the text can't be accepted, in a sentence, or an empty string. An empty text has no error."""
    for character in text:
        if character in _LINE_BREAKS:
            return "Holds a line break: write it in one line."
        if unicodedata.category(character) == "Cc":
            return f"Holds a control character ({_code(character)}): take it out."
        if unicodedata.category(character) == "Cs":
            return "Holds half of a surrogate pair, which isn't a character."
        if character in _BIDI_CONTROLS:
            return f"Holds a character that changes the direction of text ({_code(character)}): take it out."
    if text and not any(map(_is_visible, text)):
        return "Holds nothing that can be seen: write some visible characters."
    return ""


def is_unicode(text: str) -> bool:
    """Whether the text can be written in UTF-8: it holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_visible(character: str) -> bool:
    # Cf are formats such as the zero-width space, Zs spaces, Cn what Unicode gives no character.
    return unicodedata.category(character) not in {"Cf", "Cn", "Zs"} and character not in _BLANKS


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"
