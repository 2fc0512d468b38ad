"""The garbage collector of a function."""

import gc
from collections.abc import Iterator

import pytest

from billing_site.lambda_function.garbage import MAX_NEW_OBJECTS, collect_seldom


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


class Cyclic:
    def __init__(self) -> None:
        self.itself = self


def test_leaves_what_the_start_made_and_looks_seldom() -> None:
    collect_seldom()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    collections = gc.get_stats()[0]["collections"]
    kept = [Cyclic() for _ in range(MAX_NEW_OBJECTS // 2)]
    assert gc.get_stats()[0]["collections"] == collections
    kept += [Cyclic() for _ in range(MAX_NEW_OBJECTS)]
    assert gc.get_stats()[0]["collections"] > collections
