"""The provider's limit: so many calls within any second, and 429 beyond."""

import pytest

from localcloud.simulated_stripe.rate_limit import RateLimit


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The present time alone; a test moves it on."""
    now = [100.0]
    monkeypatch.setattr("localcloud.simulated_stripe.rate_limit.time.monotonic", lambda: now[0])
    return now


def test_counts_the_calls_of_any_second(clock: list[float]) -> None:
    limit, answers = RateLimit(2), []
    for at in (100.0, 100.9, 100.95, 101.0, 101.85, 101.9):
        clock[0] = at
        answers.append(limit.allows())
    assert answers == [True, True, False, True, False, True]
    assert (limit.allowed, limit.refused) == ([100.0, 100.9, 101.0, 101.9], [100.95, 101.85])


def test_none_refuses_nothing() -> None:
    limit = RateLimit(0)
    assert [limit.allows() for _ in range(100)] == [True] * 100
    assert (limit.allowed, limit.refused) == ([], [])
