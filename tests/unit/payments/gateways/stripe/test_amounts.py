import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.currencies import EXPONENTS, MAX_MINOR
from payments.gateways.stripe.amounts import (
    THREE_DECIMAL,
    WHOLE_BUT_TWO_DECIMAL,
    ZERO_DECIMAL,
    UnableToExpress,
    from_stripe,
    stripe_exponent,
    to_stripe,
)


class TestUnits:
    def test_are_ours_but_for_three_currencies(self) -> None:
        """ISO 4217 gives ISK and UGX no decimals, where Stripe wants two zeros, and MGA two, where it has none."""
        differing = {code for code in EXPONENTS if code not in {"IQD", "LYD"}}
        assert {code for code in differing if stripe_exponent(code) != EXPONENTS[code]} == {"ISK", "UGX", "MGA"}
        assert [stripe_exponent(code) for code in ("ISK", "UGX", "MGA")] == [2, 2, 0]

    def test_of_stripes_lists_are_those_of_its_page(self) -> None:
        assert (len(ZERO_DECIMAL), len(THREE_DECIMAL), len(WHOLE_BUT_TWO_DECIMAL)) == (15, 5, 2)
        assert [*ZERO_DECIMAL - set(EXPONENTS), *THREE_DECIMAL - set(EXPONENTS)] == []

    @pytest.mark.parametrize("code", ["IQD", "LYD", "XXX", "usd", ""])
    def test_that_stripe_does_not_tell_are_not_guessed(self, code: str) -> None:
        with pytest.raises(UnableToExpress):
            to_stripe(amount_minor=1000, currency=code)
        with pytest.raises(UnableToExpress):
            from_stripe(amount=1000, currency=code)


class TestAmount:
    @given(st.integers(1, MAX_MINOR), st.sampled_from(sorted(code for code in EXPONENTS if code not in {"IQD", "LYD"})))
    def test_comes_back_as_it_went_or_does_not_go(self, amount_minor: int, currency: str) -> None:
        try:
            sent = to_stripe(amount_minor=amount_minor, currency=currency)
        except UnableToExpress:
            assert (currency in THREE_DECIMAL and amount_minor % 10) or (currency == "MGA" and amount_minor % 100)
            return
        assert from_stripe(amount=sent, currency=currency) == amount_minor
        assert sent * 10 ** (3 - stripe_exponent(currency)) == amount_minor * 10 ** (3 - EXPONENTS[currency])

    @pytest.mark.parametrize(("currency", "amount", "shown"), [("ISK", 501, "5.01 ISK"), ("UGX", 550, "5.50 UGX")])
    def test_of_a_part_of_what_has_no_parts_does_not_come(self, currency: str, amount: int, shown: str) -> None:
        with pytest.raises(UnableToExpress, match=f"^{shown} has more decimals"):
            from_stripe(amount=amount, currency=currency)

    def test_with_a_third_decimal_does_not_go(self) -> None:
        with pytest.raises(UnableToExpress, match=r"third decimal isn't 0: 1\.505 KWD$"):
            to_stripe(amount_minor=1505, currency="KWD")
