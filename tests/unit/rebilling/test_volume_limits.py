"""What the volume check decides, by numbers alone."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from rebilling.volume_limits import History, Limits, Size, check_limits, find_excesses

LIMITS = Limits(multiple=3, small_run_periods=50, first_periods=20_000)


def size(**by_currency: tuple[int, int]) -> Size:
    """Periods and minor units by currency."""
    made = Size()
    for currency, (periods, amount_minor) in by_currency.items():
        made.add(periods=periods, amount_minor=amount_minor, currency=currency)
    return made


def history(*, periods: int = 100, days: int = 1, **amount_minor: int) -> History:
    """Of runs in which all periods were of each of the currencies, for what one came to in the largest."""
    amounts = amount_minor or {"USD": 100_000}
    each = {currency: -(-amount // periods) for currency, amount in amounts.items()}
    return History(periods=periods, amount_minor=amounts, average_minor=each, days=days)


def over(due: Size, past: History, limits: Limits = LIMITS) -> list[tuple[str, int, int]]:
    return [
        (excess.currency, excess.due, excess.limit) for excess in find_excesses(due=due, history=past, limits=limits)
    ]


class TestAgainstHistory:
    @pytest.mark.parametrize(
        ("days", "periods", "found"),
        [(1, 300, []), (1, 301, [("", 301, 300)]), (4, 1200, []), (4, 1201, [("", 1201, 1200)])],
    )
    def test_holds_past_the_multiple_of_periods_and_not_at_it(
        self, days: int, periods: int, found: list[tuple[str, int, int]]
    ) -> None:
        assert over(size(USD=(periods, 1)), history(days=days)) == found

    @pytest.mark.parametrize(
        ("days", "amount", "found"),
        [
            (1, 300_000, []),
            (1, 300_001, [("USD", 300_001, 300_000)]),
            (2, 600_000, []),
            (2, 600_001, [("USD", 600_001, 600_000)]),
        ],
    )
    def test_holds_past_the_multiple_of_an_amount_and_not_at_it(
        self, days: int, amount: int, found: list[tuple[str, int, int]]
    ) -> None:
        assert over(size(USD=(51, amount)), history(days=days)) == found

    def test_looks_at_each_currency_alone(self) -> None:
        past = history(USD=100_000, JPY=700)
        due = size(USD=(60, 300_000), JPY=(60, 2_101))
        assert over(due, past) == [("JPY", 2_101, 2_100)]

    def test_counts_periods_over_all_currencies(self) -> None:
        past = history(USD=100_000, EUR=100_000)
        assert over(size(USD=(150, 1), EUR=(151, 1)), past) == [("", 301, 300)]

    def test_passes_a_small_run_however_large_it_is_compared_with_history(self) -> None:
        past = history(periods=1, USD=100)
        assert over(size(USD=(50, 300)), past) == []
        assert over(size(USD=(51, 300)), past) == [("", 51, 3)]

    @pytest.mark.parametrize(
        ("days", "amount", "found"),
        [
            (1, 15_000, []),
            (1, 15_001, [("USD", 15_001, 15_000)]),
            (2, 30_000, []),
            (2, 30_001, [("USD", 30_001, 30_000)]),
        ],
    )
    def test_holds_a_small_run_past_the_multiple_of_what_as_many_usually_come_to(
        self, days: int, amount: int, found: list[tuple[str, int, int]]
    ) -> None:
        """Three customers a day at 1.00, and then one at 120.00 a year: no alarm. All of them at 100.00 are one."""
        assert over(size(USD=(3, amount)), history(periods=3, days=days, USD=300)) == found

    def test_measures_a_small_run_by_the_largest_one_where_that_is_more(self) -> None:
        past = history(periods=100, USD=100_000)
        assert over(size(USD=(50, 300_000)), past) == []
        assert over(size(USD=(50, 300_001)), past) == [("USD", 300_001, 300_000)]
        assert over(size(USD=(51, 300_001)), past) == [("USD", 300_001, 300_000)]

    def test_is_off_with_a_multiple_of_0(self) -> None:
        limits = Limits(multiple=0, small_run_periods=0, first_periods=20_000)
        assert over(size(USD=(10**6, 10**12)), history(), limits) == []

    def test_says_what_is_too_much_and_why(self) -> None:
        found = find_excesses(due=size(USD=(301, 300_001)), history=history(days=1), limits=LIMITS)
        assert [str(excess) for excess in found] == [
            "301 periods are due, more than 300 (3 times the largest run of 35 days, for 1 day)",
            "3,000.01 USD is due, more than 3,000.00 USD (3 times the largest run of 35 days, for 1 day)",
        ]
        found = find_excesses(due=size(USD=(2, 15_001)), history=history(periods=1, USD=100, days=1), limits=LIMITS)
        assert [str(excess) for excess in found] == [
            "150.01 USD is due, more than 150.00 USD (3 times 50 periods at the average of 35 days, for 1 day)"
        ]


class TestWithoutHistory:
    @pytest.mark.parametrize(("periods", "found"), [(20_000, []), (20_001, [("", 20_001, 20_000)])])
    def test_holds_past_the_absolute_limit_and_not_at_it(self, periods: int, found: list[tuple[str, int, int]]) -> None:
        assert over(size(USD=(periods, 10**12)), History()) == found
        assert over(size(USD=(periods - 1, 1), EUR=(1, 1)), History()) == found

    @pytest.mark.parametrize(("amount", "found"), [(5_000, []), (5_001, [("USD", 5_001, 5_000)])])
    def test_holds_past_a_currencys_own_limit_even_a_small_run(
        self, amount: int, found: list[tuple[str, int, int]]
    ) -> None:
        limits = Limits(multiple=3, small_run_periods=50, first_periods=20_000, first_amount_minor={"USD": 5_000})
        assert over(size(USD=(1, amount), EUR=(1, 10**9)), History(), limits) == found

    def test_holds_a_new_currency_by_the_absolute_limits(self) -> None:
        limits = Limits(multiple=3, small_run_periods=50, first_periods=10, first_amount_minor={"EUR": 900, "USD": 1})
        past = history(USD=100_000)
        assert over(size(USD=(200, 300_000), EUR=(10, 900)), past, limits) == []
        assert over(size(USD=(200, 300_000), EUR=(11, 901)), past, limits) == [("", 11, 10), ("EUR", 901, 900)]

    def test_takes_a_currency_that_was_free_as_known_by_count_and_new_by_amount(self) -> None:
        limits = Limits(multiple=3, small_run_periods=0, first_periods=10, first_amount_minor={"USD": 900})
        past = history(periods=20, USD=0)
        assert over(size(USD=(60, 900)), past, limits) == []
        assert over(size(USD=(61, 901)), past, limits) == [("", 61, 60), ("USD", 901, 900)]

    def test_is_off_with_limits_of_0(self) -> None:
        limits = Limits(multiple=3, small_run_periods=0, first_periods=0, first_amount_minor={"USD": 0})
        assert over(size(USD=(10**6, 10**12)), History(), limits) == []

    def test_of_nothing_passes(self) -> None:
        assert over(Size(), History()) == over(Size(), history()) == []


class TestCheckLimits:
    def test_passes_a_first_run_of_ten_thousand_accounts_by_default(self) -> None:
        assert check_limits() == LIMITS
        assert over(size(USD=(10_000, 10**9)), History()) == []

    @pytest.mark.parametrize("name", ["MULTIPLE", "SMALL_RUN", "FIRST_PERIODS"])
    def test_refuses_a_limit_below_0(self, settings: object, name: str) -> None:
        setattr(settings, f"VOLUME_CHECK_{name}", -1)
        with pytest.raises(ImproperlyConfigured, match="below 0"):
            check_limits()

    @pytest.mark.parametrize(("amounts", "error"), [({"USD": -1}, "below 0"), ({"usd": 1, "EUR": 1}, "usd is no")])
    def test_refuses_invalid_amounts(self, settings: object, amounts: dict[str, int], error: str) -> None:
        settings.VOLUME_CHECK_FIRST_AMOUNTS = amounts  # type: ignore[attr-defined]
        with pytest.raises(ImproperlyConfigured, match=error):
            check_limits()
