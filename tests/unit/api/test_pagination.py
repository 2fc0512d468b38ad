"""Cursors, made and read by themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pagination import Cursor, InvalidCursor

CURSORS = st.builds(Cursor, id=st.uuids(), after=st.booleans())


class TestCursor:
    @given(cursor=CURSORS, belongs_to=st.binary())
    def test_comes_back_as_it_was(self, cursor: Cursor, belongs_to: bytes) -> None:
        text = cursor.encoded(belongs_to=belongs_to)
        assert len(text) == 34
        assert Cursor.decoded(text, belongs_to=belongs_to) == cursor

    @given(cursor=CURSORS, ours=st.binary(max_size=8), theirs=st.binary(max_size=8))
    def test_works_for_its_list_alone(self, cursor: Cursor, ours: bytes, theirs: bytes) -> None:
        text = cursor.encoded(belongs_to=ours)
        if ours != theirs:
            with pytest.raises(InvalidCursor):
                Cursor.decoded(text, belongs_to=theirs)

    @given(text=st.text(max_size=40))
    def test_is_refused_unless_it_was_made_here(self, text: str) -> None:
        with pytest.raises(InvalidCursor):
            Cursor.decoded(text, belongs_to=b"list")
