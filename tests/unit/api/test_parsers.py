"""Bodies, read by themselves."""

import json
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ParseError
from rest_framework.test import APIRequestFactory

from api.parsers import MAX_LEVELS, BodyTooLarge, BoundedJSONParser, json_object

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


class TestJsonObject:
    @given(body=st.dictionaries(TEXT, VALUES, max_size=5))
    def test_reads_what_json_writes(self, body: dict[str, Any]) -> None:
        assert json_object(json.dumps(body).encode()) == body
        assert json_object(json.dumps(body, ensure_ascii=False).encode()) == body

    @given(raw=st.binary(max_size=200) | st.text('[]{}",:0123456789eE+-.\\u nultrfas', max_size=60).map(str.encode))
    def test_reads_an_object_or_refuses(self, raw: bytes) -> None:
        try:
            value = json_object(raw)
        except ParseError:
            return
        assert isinstance(value, dict)
        # What was read can be hashed, stored and sent.
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()

    @pytest.mark.parametrize("open_and_close", ["[]", "{}"])
    def test_reads_to_its_greatest_depth(self, open_and_close: str) -> None:
        def nested(levels: int) -> bytes:
            inner = ("[" * levels, "]" * levels) if open_and_close == "[]" else ('{"a":' * levels, "}" * levels)
            return f'{{"a":{inner[0]}1{inner[1]}}}'.encode()

        json_object(nested(MAX_LEVELS - 1))
        with pytest.raises(ParseError, match="20 levels"):
            json_object(nested(MAX_LEVELS))

    def test_reads_numbers_of_any_size_that_python_writes(self) -> None:
        assert json_object(b'{"a": %d}' % 10**4000) == {"a": 10**4000}

    @pytest.mark.parametrize(
        ("raw", "message"),
        [
            (b"{", "line 1, column 2"),
            (b"\xff", "UTF-8"),
            (b"[]", "JSON object"),
            (b'{"a": 1, "a": 1}', "given twice"),
            (b'{"a": NaN}', "NaN"),
            (b'{"a": -1e400}', "out of range"),
            (b'{"a": %s}' % (b"1" * 4301), "too long"),
            (b'{"a": 0.1234567890123456789}', "more digits"),
            (b'{"a": ["\\udc00"]}', "surrogate"),
            (b"[" * 10**6, "levels deep"),
        ],
        ids=lambda value: repr(value)[:20],
    )
    def test_says_what_is_wrong(self, raw: bytes, message: str) -> None:
        with pytest.raises(ParseError, match=message):
            json_object(raw)


class _Watched(BytesIO):
    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        read = super().read(size)
        self.taken += len(read)
        return read


class TestBoundedJSONParser:
    @pytest.mark.parametrize(("announced", "taken"), [("10000000", 0), ("2", 1_048_577), ("", 1_048_577)])
    def test_reads_no_more_than_it_must_of_a_large_body(self, announced: str, taken: int) -> None:
        request = APIRequestFactory().post("/")
        request.META["CONTENT_LENGTH"] = announced
        stream = _Watched(b'{"a": "' + b"x" * 10_000_000)
        with pytest.raises(BodyTooLarge):
            BoundedJSONParser().parse(stream, parser_context={"request": request})
        assert stream.taken == taken

    def test_reads_a_body_without_a_context(self) -> None:
        assert BoundedJSONParser().parse(BytesIO(b'{"a": 1}')) == {"a": 1}
