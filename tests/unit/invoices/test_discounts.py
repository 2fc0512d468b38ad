"""What a discount takes off a price: whole units, never more than there is."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoices.discounts import discount_of

prices = st.integers(0, 10**12)


class TestDiscountOf:
    @pytest.mark.parametrize(
        ("price", "percent", "taken_off"),
        [
            (10_000, "25", 2500),
            (1999, "10", 200),
            (1999, "12.5", 250),
            (1, "50", 1),
            (1, "49.999", 0),
            (1999, "100", 1999),
            (0, "100", 0),
            (1999, "0.001", 0),
        ],
    )
    def test_of_a_percentage_is_rounded_half_up(self, price: int, percent: str, taken_off: int) -> None:
        assert discount_of(price_minor=price, percent=Decimal(percent), amount_minor=None) == taken_off

    @pytest.mark.parametrize(("price", "amount", "taken_off"), [(1999, 500, 500), (300, 500, 300), (0, 500, 0)])
    def test_of_an_amount_is_at_most_the_price(self, price: int, amount: int, taken_off: int) -> None:
        assert discount_of(price_minor=price, percent=None, amount_minor=amount) == taken_off

    def test_is_one_of_the_two(self) -> None:
        with pytest.raises(ValueError, match="a percentage or an amount"):
            discount_of(price_minor=1999, percent=None, amount_minor=None)

    @given(price=prices, thousandths=st.integers(1, 100_000))
    def test_is_within_half_a_unit_of_its_share_and_leaves_nothing_below_zero(
        self, price: int, thousandths: int
    ) -> None:
        taken_off = discount_of(price_minor=price, percent=Decimal(thousandths).scaleb(-3), amount_minor=None)
        assert 0 <= taken_off <= price
        assert abs(taken_off - Fraction(price * thousandths, 100_000)) <= Fraction(1, 2)
