"""Numbers and periods in words."""

import datetime

import pytest

from accounts.phrases import counted, period_in_words


class TestCounted:
    @pytest.mark.parametrize(("number", "text"), [(0, "0 periods"), (1, "1 period"), (1200, "1,200 periods")])
    def test_adds_a_plural_except_for_one(self, number: int, text: str) -> None:
        assert counted(number, "period") == text


class TestPeriodInWords:
    @pytest.mark.parametrize(
        ("start", "end", "text"),
        [
            ("2026-01-01", "2026-02-01", "1 Jan to 31 Jan 2026"),
            ("2026-11-30", "2026-12-07", "30 Nov to 6 Dec 2026"),
            ("2028-02-01", "2028-03-01", "1 Feb to 29 Feb 2028"),
            ("2026-01-01", "2027-01-01", "1 Jan to 31 Dec 2026"),
        ],
    )
    def test_names_the_first_and_the_last_day_and_the_year_once(self, start: str, end: str, text: str) -> None:
        assert _in_words(start, end) == text

    def test_names_both_years_when_they_differ(self) -> None:
        assert _in_words("2026-12-15", "2027-01-15") == "15 Dec 2026 to 14 Jan 2027"

    @pytest.mark.parametrize(
        ("start", "end", "text"),
        [("2026-11-30", "2026-12-01", "30 Nov 2026"), ("2026-12-31", "2027-01-01", "31 Dec 2026")],
    )
    def test_names_a_single_day_once(self, start: str, end: str, text: str) -> None:
        assert _in_words(start, end) == text

    def test_names_every_month_in_english(self) -> None:
        days = [datetime.date(2026, month, 5) for month in range(1, 13)]
        names = [period_in_words(start=day, end=day + datetime.timedelta(days=1)).split()[1] for day in days]
        assert names == ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def _in_words(start: str, end: str) -> str:
    return period_in_words(start=datetime.date.fromisoformat(start), end=datetime.date.fromisoformat(end))
