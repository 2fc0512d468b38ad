"""The calendar against an oracle that counts by the textbook, and against what is known by heart."""

import calendar
import datetime
import itertools

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from accounts.billing_calendar import (
    FIRST_DAY,
    LAST_DAY,
    DayOutOfRange,
    Interval,
    IntervalUnit,
    Period,
    first_start_on_or_after,
    in_range,
    index_on_or_after,
    is_period_start,
    period,
    period_start,
    periods_due,
)
from tests.support.calendar_oracle import oracle_start, oracle_starts

DAY, WEEK, MONTH, YEAR = IntervalUnit.DAY, IntervalUnit.WEEK, IntervalUnit.MONTH, IntervalUnit.YEAR
TEN_YEARS = datetime.timedelta(days=3653)
JAN_31 = datetime.date(2026, 1, 31)
FEB_29 = datetime.date(2024, 2, 29)

property_of_the_calendar = settings(max_examples=300, deadline=None, derandomize=True, print_blob=True)

units = st.sampled_from(IntervalUnit)
intervals = st.builds(Interval, count=st.integers(1, 366), unit=units)
short_intervals = st.builds(Interval, count=st.integers(1, 6), unit=units)
days = st.dates(FIRST_DAY, LAST_DAY)
month_ends = st.builds(
    lambda year, month: datetime.date(year, month, calendar.monthrange(year, month)[1]),
    st.integers(1970, 2200),
    st.integers(1, 12),
)
anchors = days | month_ends
"""Half of them on the last day of a month, where counting goes wrong."""


def starts(anchor: datetime.date, interval: Interval, until: datetime.date) -> list[str]:
    due = periods_due(anchor=anchor, interval=interval, since=anchor, as_of=until)
    return [each.start.isoformat() for each in due]


class TestKnownAnchors:
    def test_january_31_monthly_bills_the_last_day_of_each_month(self) -> None:
        assert starts(JAN_31, Interval(1, MONTH), datetime.date(2028, 3, 31)) == [
            *("2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30", "2026-07-31"),
            *("2026-08-31", "2026-09-30", "2026-10-31", "2026-11-30", "2026-12-31"),
            *("2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31", "2027-06-30", "2027-07-31"),
            *("2027-08-31", "2027-09-30", "2027-10-31", "2027-11-30", "2027-12-31"),
            *("2028-01-31", "2028-02-29", "2028-03-31"),
        ]

    def test_january_31_monthly_bills_each_month_of_ten_years_once(self) -> None:
        expected = [
            f"{year}-{month:02}-{calendar.monthrange(year, month)[1]}"
            for year in range(2026, 2036)
            for month in range(1, 13)
        ]
        assert len(expected) == 120
        assert starts(JAN_31, Interval(1, MONTH), datetime.date(2035, 12, 31)) == expected

    def test_february_29_yearly_bills_february_28_in_common_years(self) -> None:
        assert starts(FEB_29, Interval(1, YEAR), datetime.date(2034, 12, 31)) == [
            *("2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29", "2029-02-28", "2030-02-28"),
            *("2031-02-28", "2032-02-29", "2033-02-28", "2034-02-28"),
        ]

    def test_february_29_yearly_has_no_leap_day_in_2100(self) -> None:
        assert starts(datetime.date(2096, 2, 29), Interval(2, YEAR), datetime.date(2104, 2, 29)) == [
            *("2096-02-29", "2098-02-28", "2100-02-28", "2102-02-28", "2104-02-29"),
        ]

    def test_weekly_bills_the_same_weekday_for_ten_years(self) -> None:
        anchor = datetime.date(2026, 12, 30)
        billed = starts(anchor, Interval(1, WEEK), anchor + TEN_YEARS)
        assert billed[:4] == ["2026-12-30", "2027-01-06", "2027-01-13", "2027-01-20"]
        assert billed[-1] == "2036-12-24"
        assert len(billed) == 522
        assert {datetime.date.fromisoformat(day).strftime("%A") for day in billed} == {"Wednesday"}

    def test_november_30_three_monthly_comes_back_to_the_30th(self) -> None:
        billed = starts(datetime.date(2026, 11, 30), Interval(3, MONTH), datetime.date(2036, 11, 29))
        assert billed[:9] == [
            *("2026-11-30", "2027-02-28", "2027-05-30", "2027-08-30", "2027-11-30"),
            *("2028-02-29", "2028-05-30", "2028-08-30", "2028-11-30"),
        ]
        assert len(billed) == 40

    def test_daily_bills_every_day_of_ten_years(self) -> None:
        anchor = datetime.date(2026, 1, 1)
        billed = starts(anchor, Interval(1, DAY), datetime.date(2035, 12, 31))
        # Ten years of 365 days, and the leap days of 2028 and 2032.
        assert len(billed) == len(set(billed)) == 3652
        assert (billed[58], billed[59]) == ("2026-02-28", "2026-03-01")
        assert (billed[788], billed[789], billed[790]) == ("2028-02-28", "2028-02-29", "2028-03-01")
        assert billed[-1] == "2035-12-31"

    def test_every_30_days_is_not_a_month(self) -> None:
        assert starts(JAN_31, Interval(30, DAY), datetime.date(2026, 5, 31)) == [
            *("2026-01-31", "2026-03-02", "2026-04-01", "2026-05-01", "2026-05-31"),
        ]

    def test_366_years_is_the_longest_period(self) -> None:
        longest = period(anchor=LAST_DAY, interval=Interval(366, YEAR), index=0)
        assert longest == Period(start=datetime.date(2200, 12, 31), end=datetime.date(2566, 12, 31))


class TestPeriods:
    @property_of_the_calendar
    @given(anchors, intervals, st.integers(0, 60))
    @example(JAN_31, Interval(1, MONTH), 1)
    @example(FEB_29, Interval(1, YEAR), 4)
    def test_start_where_the_textbook_says(self, anchor: datetime.date, interval: Interval, index: int) -> None:
        assume(interval.unit != YEAR or anchor.year + interval.count * index <= datetime.MAXYEAR)
        assert period_start(anchor=anchor, interval=interval, index=index) == oracle_start(anchor, interval, index)

    @property_of_the_calendar
    @given(anchors, short_intervals)
    def test_tile_ten_years_without_gap_or_overlap(self, anchor: datetime.date, interval: Interval) -> None:
        until = anchor + TEN_YEARS
        due = list(periods_due(anchor=anchor, interval=interval, since=anchor, as_of=until))
        assert due[0].start == anchor
        assert due[-1].start <= until < due[-1].end
        assert all(each.start < each.end for each in due)
        assert [each.end for each in due[:-1]] == [each.start for each in due[1:]]

    @property_of_the_calendar
    @given(anchors, intervals, st.integers(0, 12))
    def test_start_later_than_the_one_before(self, anchor: datetime.date, interval: Interval, index: int) -> None:
        found = period(anchor=anchor, interval=interval, index=index)
        assert found.start < found.end
        assert found == Period(
            start=oracle_start(anchor, interval, index), end=oracle_start(anchor, interval, index + 1)
        )

    @property_of_the_calendar
    @given(month_ends, st.integers(1, 24), st.integers(0, 120))
    def test_of_months_start_in_the_right_month_and_never_after_the_anchors_day(
        self, anchor: datetime.date, count: int, index: int
    ) -> None:
        start = period_start(anchor=anchor, interval=Interval(count, MONTH), index=index)
        assert (start.year * 12 + start.month) - (anchor.year * 12 + anchor.month) == count * index
        is_last_day = (start + datetime.timedelta(days=1)).day == 1
        assert start.day == anchor.day or (start.day < anchor.day and is_last_day)


class TestIndexOnOrAfter:
    @property_of_the_calendar
    @given(anchors, intervals, days)
    @example(JAN_31, Interval(1, MONTH), datetime.date(2026, 2, 28))
    @example(JAN_31, Interval(1, MONTH), datetime.date(2026, 3, 1))
    @example(FEB_29, Interval(1, YEAR), datetime.date(2025, 2, 28))
    @example(FEB_29, Interval(1, YEAR), datetime.date(2025, 3, 1))
    @example(FIRST_DAY, Interval(1, DAY), LAST_DAY)
    def test_is_the_smallest(self, anchor: datetime.date, interval: Interval, day: datetime.date) -> None:
        index = index_on_or_after(anchor=anchor, interval=interval, day=day)
        assert index >= 0
        assert oracle_start(anchor, interval, index) >= day
        assert index == 0 or oracle_start(anchor, interval, index - 1) < day

    @property_of_the_calendar
    @given(anchors, short_intervals, st.integers(-400, 3653))
    def test_agrees_with_counting_up(self, anchor: datetime.date, interval: Interval, offset: int) -> None:
        day = anchor + datetime.timedelta(days=offset)
        expected = next(i for i, start in enumerate(oracle_starts(anchor, interval)) if start >= day)
        assert index_on_or_after(anchor=anchor, interval=interval, day=day) == expected
        first = first_start_on_or_after(anchor=anchor, interval=interval, day=day)
        assert first == oracle_start(anchor, interval, expected)


class TestIsPeriodStart:
    @property_of_the_calendar
    @given(anchors, short_intervals, st.integers(0, 800))
    def test_holds_for_the_starts_and_for_no_other_day(
        self, anchor: datetime.date, interval: Interval, offset: int
    ) -> None:
        day = anchor + datetime.timedelta(days=offset)
        expected = day in itertools.takewhile(lambda start: start <= day, oracle_starts(anchor, interval))
        assert is_period_start(anchor=anchor, interval=interval, day=day) is expected

    @property_of_the_calendar
    @given(anchors, intervals, st.integers(1, 2000))
    def test_fails_for_every_day_before_the_anchor(
        self, anchor: datetime.date, interval: Interval, offset: int
    ) -> None:
        day = anchor - datetime.timedelta(days=offset)
        assert not is_period_start(anchor=anchor, interval=interval, day=day)


class TestPeriodsDue:
    @property_of_the_calendar
    @given(anchors, short_intervals, st.integers(-50, 1000), st.integers(-50, 1000))
    def test_are_those_found_by_looking_at_every_start(
        self, anchor: datetime.date, interval: Interval, since_offset: int, until_offset: int
    ) -> None:
        since = anchor + datetime.timedelta(days=since_offset)
        until = anchor + datetime.timedelta(days=until_offset)
        expected = [
            Period(start=start, end=end)
            for start, end in itertools.pairwise(
                itertools.islice(oracle_starts(anchor, interval), 1100)  # a day each, and some more
            )
            if since <= start <= until
        ]
        assert list(periods_due(anchor=anchor, interval=interval, since=since, as_of=until)) == expected

    def test_are_none_before_the_anchor(self) -> None:
        before = JAN_31 - datetime.timedelta(days=1)
        assert list(periods_due(anchor=JAN_31, interval=Interval(1, DAY), since=FIRST_DAY, as_of=before)) == []

    def test_include_both_days_given(self) -> None:
        until = datetime.date(2026, 3, 31)
        due = periods_due(anchor=JAN_31, interval=Interval(1, MONTH), since=datetime.date(2026, 2, 28), as_of=until)
        assert [each.start.isoformat() for each in due] == ["2026-02-28", "2026-03-31"]

    def test_reach_the_last_day_that_billing_knows(self) -> None:
        due = list(periods_due(anchor=LAST_DAY, interval=Interval(366, YEAR), since=FIRST_DAY, as_of=LAST_DAY))
        assert due == [Period(start=LAST_DAY, end=datetime.date(2566, 12, 31))]


class TestInRange:
    @pytest.mark.parametrize("day", ["1970-01-01", "2026-11-22", "2200-12-31"])
    def test_takes_the_days_that_billing_knows(self, day: str) -> None:
        assert in_range(datetime.date.fromisoformat(day)).isoformat() == day

    @pytest.mark.parametrize("day", ["0001-01-01", "1969-12-31", "2201-01-01", "9999-12-31"])
    def test_refuses_any_other_day_and_names_it(self, day: str) -> None:
        with pytest.raises(DayOutOfRange, match=f"^{day} is not between 1970-01-01 and 2200-12-31$"):
            in_range(datetime.date.fromisoformat(day))
