"""Figures of benchmarks: the median of the rounds decides, whatever the spread."""

import pytest

from benchmarks.figures import Figure, at_least, at_most, below, row, shown


def test_the_median_is_held_against_what_is_wanted() -> None:
    figure = at_least("worker", [0.5, 0.66, 0.9], 0.65)
    assert figure == Figure(name="worker", ratio=0.66, low=0.5, high=0.9, wanted="at least 0.65", holds=True)


@pytest.mark.parametrize(
    ("figure", "holds"),
    [
        (at_least("x", [0.64], 0.65), False),
        (at_least("x", [0.65], 0.65), True),
        (at_most("x", [1.2], 1.2), True),
        (at_most("x", [1.21], 1.2), False),
        (shown("x", [99]), True),
    ],
)
def test_at_the_limit_it_holds_and_past_it_it_does_not(figure: Figure, holds: bool) -> None:
    assert figure.holds is holds
    assert ("DOES NOT HOLD" in row(figure)) is not holds


@pytest.mark.parametrize(
    ("figure", "nearly"),
    [
        (at_least("x", [0.39], 0.65), True),
        (at_least("x", [0.38], 0.65), False),
        (at_most("x", [2], 1.2), True),
        (at_most("x", [2.01], 1.2), False),
        (below("x", [1.6], 1), True),
        (below("x", [1.7], 1), False),
    ],
)
def test_by_a_margin_it_nearly_holds(figure: Figure, nearly: bool) -> None:
    assert not figure.holds
    assert figure.nearly_holds is nearly
