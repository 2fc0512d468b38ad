import pytest
from django import forms

from backoffice.amounts import minor_from


class TestMinorFrom:
    @pytest.mark.parametrize(
        ("text", "currency", "amount_minor"),
        [
            ("19.99", "USD", 1999),
            ("19.9", "USD", 1990),
            ("9,00", "USD", 900),
            ("9.00", "USD", 900),
            ("19,9", "USD", 1990),
            ("19", "USD", 1900),
            ("0.01", "USD", 1),
            ("500", "JPY", 500),
            ("1.005", "BHD", 1005),
            ("1,5", "BHD", 1500),
            ("999999.99", "USD", 99_999_999),
        ],
    )
    def test_reads_major_units_exactly(self, text: str, currency: str, amount_minor: int) -> None:
        assert minor_from(text=text, currency=currency) == amount_minor

    @pytest.mark.parametrize(
        ("text", "currency"),
        [
            ("1.999", "USD"),
            ("1,999", "USD"),
            ("1,000.00", "USD"),
            ("1.000,00", "USD"),
            ("1.0", "JPY"),
            ("1,0", "JPY"),
            ("-1", "USD"),
            ("1e2", "USD"),
            ("", "USD"),
            (",50", "USD"),
        ],
    )
    def test_refuses_an_invalid_amount_of_the_currency(self, text: str, currency: str) -> None:
        with pytest.raises(forms.ValidationError, match=f"Enter an amount in {currency}"):
            minor_from(text=text, currency=currency)

    def test_refuses_a_comma_that_may_stand_between_thousands(self) -> None:
        with pytest.raises(forms.ValidationError, match=r"Enter an amount in BHD .* like 20\.500"):
            minor_from(text="1,500", currency="BHD")
        assert minor_from(text="1,50", currency="BHD") == 1500

    @pytest.mark.parametrize(
        ("text", "currency", "limits"),
        [
            ("0", "JPY", "1 JPY to 99,999,999 JPY"),
            ("0.00", "USD", "0.01 USD to 999,999.99 USD"),
            ("1000000.00", "USD", "0.01 USD to 999,999.99 USD"),
        ],
    )
    def test_refuses_none_and_more_than_one_movement_may_be(self, text: str, currency: str, limits: str) -> None:
        with pytest.raises(forms.ValidationError) as caught:
            minor_from(text=text, currency=currency)
        assert caught.value.messages == [f"Must be from {limits} (the setting MAX_MOVEMENT_MINOR)."]
