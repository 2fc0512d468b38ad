"""Rounding half up, and spreading an amount over parts: whole units, none lost, none above its weight."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoices.rounding import half_up, spread

weights = st.lists(st.integers(0, 10**12), max_size=12)


class TestHalfUp:
    @pytest.mark.parametrize(
        ("dividend", "divisor", "quotient"),
        [(0, 3, 0), (1, 3, 0), (1, 2, 1), (3, 2, 2), (2, 3, 1), (5, 2, 3), (249, 100, 2), (250, 100, 3), (7, 1, 7)],
    )
    def test_rounds_to_the_nearest_and_a_half_up(self, dividend: int, divisor: int, quotient: int) -> None:
        assert half_up(dividend, divisor) == quotient

    @given(dividend=st.integers(0, 10**30), divisor=st.integers(1, 10**12))
    def test_is_off_by_at_most_a_half_and_never_down_by_one(self, dividend: int, divisor: int) -> None:
        off = half_up(dividend, divisor) - Fraction(dividend, divisor)
        assert Fraction(-1, 2) < off <= Fraction(1, 2)


class TestSpread:
    @pytest.mark.parametrize(
        ("amount", "over", "shares"),
        [
            (10, [1, 1, 1], [4, 3, 3]),
            (100, [1999, 1999, 1999], [34, 33, 33]),
            (5, [0, 10, 0], [0, 5, 0]),
            (1, [1, 2, 3], [0, 0, 1]),
            (2, [1, 1], [1, 1]),
            (1, [5, 5], [1, 0]),
            (0, [3, 4], [0, 0]),
            (0, [], []),
            (0, [0, 0], [0, 0]),
            (5997, [1999, 1999, 1999], [1999, 1999, 1999]),
            (10**12, [10**12 - 1, 1], [10**12 - 1, 1]),
        ],
    )
    def test_is_in_proportion_and_gives_the_rest_to_the_largest_remainders(
        self, amount: int, over: list[int], shares: list[int]
    ) -> None:
        assert spread(amount=amount, weights=over) == shares

    @given(weights=weights, part=st.fractions(0, 1))
    def test_sums_to_the_amount_and_gives_no_part_more_than_it_weighs(self, weights: list[int], part: Fraction) -> None:
        amount = int(sum(weights) * part)
        shares = spread(amount=amount, weights=weights)
        assert sum(shares) == amount
        assert all(0 <= share <= weight for share, weight in zip(shares, weights, strict=True))

    @given(weights=weights.filter(any), part=st.fractions(0, 1))
    def test_is_less_than_one_unit_from_the_exact_proportion(self, weights: list[int], part: Fraction) -> None:
        total = sum(weights)
        amount = int(total * part)
        for share, weight in zip(spread(amount=amount, weights=weights), weights, strict=True):
            assert abs(share - Fraction(amount * weight, total)) < 1
