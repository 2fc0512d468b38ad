"""Ids: in the order in which they were made, by the clock."""

import time

import pytest

from accounts.ids import MAX_KEPT, id_of, new_id


def milliseconds_of(id_: object) -> int:
    return int(str(id_).replace("-", "")[:12], 16)


class TestNewId:
    def test_is_a_version_7(self) -> None:
        assert new_id().version == 7

    def test_is_greater_than_those_made_before(self) -> None:
        ids = [new_id() for _ in range(50_000)]
        assert ids == sorted(set(ids))

    def test_never_runs_ahead_of_the_clock(self) -> None:
        """Else the history of an account that two processes write would be out of order."""
        ids = [new_id() for _ in range(50_000)]
        assert milliseconds_of(ids[-1]) <= time.time_ns() // 1_000_000


class TestIdOf:
    def test_is_the_id_that_the_text_is(self) -> None:
        id_ = new_id()
        assert id_of(str(id_)) == id_
        with pytest.raises(ValueError, match="badly formed"):
            id_of("nonsense")

    def test_is_kept_for_so_many_ids(self) -> None:
        text = str(new_id())
        assert id_of(text) is id_of(text)
        for _ in range(MAX_KEPT):
            id_of(str(new_id()))
        assert id_of.cache_info().currsize == MAX_KEPT
