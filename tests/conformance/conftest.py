from collections.abc import Iterator

import pytest

from tests.support.stripe_bench import StripeBench, stripe_bench


@pytest.fixture
def bench() -> Iterator[StripeBench]:
    with stripe_bench() as bench:
        yield bench
