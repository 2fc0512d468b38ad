"""Percentages: decimals of three places, reckoned with as whole thousandths."""

from decimal import Decimal

import pytest

from accounts.percents import percent_error, shown_percent, thousandths


class TestThousandths:
    @pytest.mark.parametrize(
        ("percent", "whole"), [("21", 21_000), ("8.875", 8875), ("0.001", 1), ("100.000", 100_000)]
    )
    def test_are_exact(self, percent: str, whole: int) -> None:
        assert thousandths(Decimal(percent)) == whole

    def test_round_nothing(self) -> None:
        with pytest.raises(ValueError, match="more than three decimal places"):
            thousandths(Decimal("8.8755"))


class TestPercentError:
    @pytest.mark.parametrize("percent", ["0.001", "12.5", "100", "100.000"])
    def test_is_none_from_a_thousandth_to_a_hundred(self, percent: str) -> None:
        assert percent_error(Decimal(percent), zero_allowed=False) == ""

    @pytest.mark.parametrize("percent", ["-0.001", "-1", "100.001", "1000", "NaN", "Infinity"])
    def test_names_the_bounds(self, percent: str) -> None:
        assert percent_error(Decimal(percent), zero_allowed=True) == "Must be from 0 to 100."
        assert percent_error(Decimal(percent), zero_allowed=False) == "Must be from 0.001 to 100."

    def test_takes_zero_only_where_it_is_allowed(self) -> None:
        assert percent_error(Decimal(0), zero_allowed=True) == ""
        assert percent_error(Decimal(0), zero_allowed=False) == "Must be from 0.001 to 100."

    def test_refuses_a_fourth_place(self) -> None:
        assert percent_error(Decimal("8.8755"), zero_allowed=True) == "Must have at most three decimal places."


class TestShownPercent:
    @pytest.mark.parametrize(
        ("percent", "shown"), [("21.000", "21"), ("8.875", "8.875"), ("0.000", "0"), ("100", "100"), ("12.500", "12.5")]
    )
    def test_has_no_zeros_at_its_end(self, percent: str, shown: str) -> None:
        assert shown_percent(Decimal(percent)) == shown
