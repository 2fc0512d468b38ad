from typing import Any

import pytest

from accounts.metadata import metadata_error


def nested(depth: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for _ in range(depth):
        metadata = {"a": metadata}
    return metadata


class TestMetadataError:
    @pytest.mark.parametrize(
        "metadata", [{}, {"a": [1, 2.5, None, True, "ü\n"]}, {"a": "\\u0000"}, nested(50), {"a": "x" * 16_375}]
    )
    def test_what_the_database_keeps_has_none(self, metadata: dict[str, Any]) -> None:
        assert metadata_error(metadata) == ""

    @pytest.mark.parametrize(
        ("metadata", "reason"),
        [
            ({"a": "\0"}, "Holds a NUL character, which the database can't keep."),
            ({"\0": 1}, "Holds a NUL character, which the database can't keep."),
            ({"a": "\\\0"}, "Holds a NUL character, which the database can't keep."),
            ({"a": "\ud800"}, "Holds half of a surrogate pair, which isn't a character."),
            ({"a": float("nan")}, "Holds a value that JSON doesn't have."),
            ({"a": float("-inf")}, "Holds a value that JSON doesn't have."),
            ({"a": object()}, "Holds a value that JSON doesn't have."),
            (nested(100_000), "Is nested too deeply."),
            ({str(number): number for number in range(51)}, "Must have at most 50 keys."),
            ({"a": "x" * 16_376}, "Must be at most 16384 bytes as JSON."),
            ({"a": "ü" * 8_188}, "Must be at most 16384 bytes as JSON."),
        ],
    )
    def test_what_it_does_not_keep_has_a_reason(self, metadata: dict[str, Any], reason: str) -> None:
        assert metadata_error(metadata) == reason
