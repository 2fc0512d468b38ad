"""Array literals, read back by the database: what was put in is what comes out, whatever the texts hold."""

import datetime
import uuid
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.array_literals import plain_array, text_array
from tests.support.databases import rolled_back

pytestmark = rolled_back

HOSTILE = [
    "",
    " ",
    "NULL",
    "null",
    "{}",
    "{a,b}",
    '"',
    '""',
    "\\",
    '\\"',
    "\\\\",
    "a\\",
    "a,b",
    "'; DROP TABLE ledger_entry; --",
    "%s %(name)s %%",
    "line\nbreak\r\n\ttab",
    "\x01\x7f",
    "Zoë 東京 🧾 \u202e",
    "[2:3]={1,2}",
]
# PostgreSQL's text holds no null character, and UTF-8 no surrogate; `accounts/text.py` refuses both.
texts = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=30)


def read_back(literal: str, kind: str) -> list[Any]:
    """The array's elements, one a row, as the batch statements read them."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT element FROM unnest(%(literal)s::{kind}[]) AS element", {"literal": literal})
        return [element for (element,) in cursor.fetchall()]


class TestTextArray:
    @pytest.mark.parametrize("text", HOSTILE)
    def test_keeps_a_hostile_text_as_it_is(self, text: str) -> None:
        assert read_back(text_array([text]), "text") == [text]

    def test_keeps_all_of_them_apart_and_in_order_with_nulls_between(self) -> None:
        values = [value for text in HOSTILE for value in (text, None)]
        assert read_back(text_array(values), "text") == values

    def test_of_nothing_has_no_rows(self) -> None:
        assert read_back(text_array([]), "text") == []

    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(values=st.lists(st.none() | texts | st.sampled_from(HOSTILE), max_size=8))
    def test_keeps_any_texts(self, values: list[str | None]) -> None:
        assert read_back(text_array(values), "text") == values


class TestPlainArray:
    @pytest.mark.parametrize(
        ("kind", "values"),
        [
            ("uuid", [uuid.UUID(int=0), None, uuid.UUID(int=2**128 - 1)]),
            ("bigint", [0, -1, 2**63 - 1, -(2**63), None]),
            ("date", [datetime.date(1970, 1, 1), None, datetime.date(2200, 12, 31)]),
            ("boolean", [True, False, None]),
            ("text", []),
        ],
    )
    def test_keeps_values_that_need_no_quotes(self, kind: str, values: list[Any]) -> None:
        assert read_back(plain_array(values), kind) == values
