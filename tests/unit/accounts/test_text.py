import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.text import text_error

LINE_BREAK = "Holds a line break: write it in one line."
INVISIBLE = "Holds nothing that can be seen: write some visible characters."
BIDI_CONTROLS = ["\u061c", "\u200e", "\u200f", *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))]


class TestTextError:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "Ada Lovelace",
            "Zoë O\u2019Neil-\u0160uster",
            "\u05d9\u05e2\u05dc",  # Hebrew
            "\u0639\u0644\u064a 17",  # Arabic
            "\u0928\u0940\u0924\u093e",  # Devanagari, with combining marks
            "\u5c71\u7530\u3000\u592a\u90ce",  # Japanese, with its wide space
            "\U0001f469\u200d\U0001f4bb",  # an emoji that a joiner holds together
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian needs the zero-width non-joiner
            "a\u00a0b",
            "\u845b\U000e0100\u57ce",  # Japanese, with a selector of one of two forms
            "17",
        ],
    )
    def test_of_a_text_that_people_write_is_none(self, text: str) -> None:
        assert text_error(text) == ""

    @pytest.mark.parametrize("character", ["\n", "\r", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"])
    def test_names_a_line_break(self, character: str) -> None:
        assert text_error(f"Ada{character}Lovelace") == LINE_BREAK

    @pytest.mark.parametrize(
        ("character", "code"), [("\0", "U+0000"), ("\t", "U+0009"), ("\x1b", "U+001B"), ("\x7f", "U+007F")]
    )
    def test_names_a_control_character(self, character: str, code: str) -> None:
        assert text_error(f"Ada{character}") == f"Holds a control character ({code}): take it out."

    @pytest.mark.parametrize("character", BIDI_CONTROLS)
    def test_names_a_character_that_turns_text_around(self, character: str) -> None:
        expected = f"Holds a character that changes the direction of text (U+{ord(character):04X}): take it out."
        assert text_error(f"invoice{character}fdp.exe") == expected

    def test_names_half_of_a_surrogate_pair(self) -> None:
        assert text_error("a\ud800") == "Holds half of a surrogate pair, which isn't a character."

    @pytest.mark.parametrize(
        "text",
        [
            "\u200b",
            "\u200b\ufeff\u2060",
            " ",
            "\u00a0\u2003",
            "\u3164",
            "\u2800\u2800",
            "\u00ad",
            "\ufe0f",
            "\U000e0100\U000e01ef",  # variation selectors
            "\u2065",  # no character, among those that turn text around
            "\ufffe\uffff",
        ],
    )
    def test_says_that_nothing_can_be_seen(self, text: str) -> None:
        assert text_error(text) == INVISIBLE

    @settings(max_examples=300, deadline=None, derandomize=True, print_blob=True)
    @given(
        st.text(
            st.characters(categories=["L", "N", "P", "S"], exclude_characters="\u3164\u115f\u1160\u2800\uffa0\ufffc")
        )
    )
    def test_is_none_for_any_letters_digits_and_signs(self, text: str) -> None:
        assert text_error(text) == ""

    @settings(max_examples=300, deadline=None, derandomize=True, print_blob=True)
    @given(st.text(st.characters(categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1))
    def test_is_never_none_with_a_control(self, text: str) -> None:
        assert text_error(f"a{text}b")

    def test_knows_every_control_of_direction(self) -> None:
        """By Python's own table: what has a class of a direction's control, and the two marks and the Arabic one."""
        classes = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
        controls = [chr(code) for code in range(0x110000) if unicodedata.bidirectional(chr(code)) in classes]
        assert len(controls) == 9
        assert all("direction" in text_error(f"a{control}") for control in controls)
