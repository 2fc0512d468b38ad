from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.currencies import EXPONENTS, MAX_MINOR, display


class TestExponents:
    def test_are_those_of_iso_4217(self) -> None:
        assert len(EXPONENTS) == 155
        assert sorted(code for code, exponent in EXPONENTS.items() if exponent == 0) == [
            *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"),
            *("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
        ]
        assert sorted(code for code, exponent in EXPONENTS.items() if exponent == 3) == [
            *("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"),
        ]
        assert set(EXPONENTS.values()) == {0, 2, 3}

    def test_are_those_of_the_standard_where_cldr_has_others(self) -> None:
        assert [EXPONENTS[code] for code in ("IQD", "LBP", "RSD", "AFN", "HUF", "TWD")] == [3, 2, 2, 2, 2, 2]

    def test_are_of_codes_of_three_capitals(self) -> None:
        assert [code for code in EXPONENTS if not (len(code) == 3 and code.isascii() and code.isupper())] == []

    @pytest.mark.parametrize("code", ["XAU", "XAG", "XDR", "XTS", "XXX", "USN", "CLF", "UYW", "CHE", "BOV", "MXV"])
    def test_leave_out_metals_funds_and_tests(self, code: str) -> None:
        assert code not in EXPONENTS

    @pytest.mark.parametrize("code", ["DEM", "HRK", "CUC", "SLL", "ZWL", "ANG"])
    def test_leave_out_what_is_not_money_any_more(self, code: str) -> None:
        assert code not in EXPONENTS


class TestDisplay:
    @pytest.mark.parametrize(
        ("amount_minor", "currency", "text"),
        [
            (1999, "USD", "19.99 USD"),
            (0, "USD", "0.00 USD"),
            (1, "USD", "0.01 USD"),
            (-5, "EUR", "-0.05 EUR"),
            (123456789, "EUR", "1,234,567.89 EUR"),
            (-100000, "EUR", "-1,000.00 EUR"),
            (500, "JPY", "500 JPY"),
            (1234567, "JPY", "1,234,567 JPY"),
            (1234, "KWD", "1.234 KWD"),
            (MAX_MINOR, "USD", "92,233,720,368,547,758.07 USD"),
            (-MAX_MINOR, "JPY", "-9,223,372,036,854,775,807 JPY"),
        ],
    )
    def test_shows_the_digits_of_the_currency(self, amount_minor: int, currency: str, text: str) -> None:
        assert display(amount_minor=amount_minor, currency=currency) == text

    @settings(max_examples=200, deadline=None, derandomize=True, print_blob=True)
    @given(st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from(sorted(EXPONENTS)))
    def test_loses_nothing(self, amount_minor: int, currency: str) -> None:
        shown, code = display(amount_minor=amount_minor, currency=currency).split(" ")
        assert code == currency
        assert Decimal(shown.replace(",", "")) * 10 ** EXPONENTS[currency] == amount_minor
        assert len(shown.partition(".")[2]) == EXPONENTS[currency]

    @pytest.mark.parametrize("currency", ["", "usd", "XXX", "US"])
    def test_refuses_an_unknown_currency(self, currency: str) -> None:
        with pytest.raises(KeyError):
            display(amount_minor=1, currency=currency)
