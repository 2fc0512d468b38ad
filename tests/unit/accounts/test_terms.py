"""Terms: which are in force on a day, and the periods that fall due under them."""

import datetime
import uuid
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.billing_calendar import Interval, IntervalUnit, Period
from accounts.terms import TermsHistory, TermsInForce

JAN_1 = datetime.date(2026, 1, 1)
MONTH, WEEK = Interval(count=1, unit=IntervalUnit.MONTH), Interval(count=1, unit=IntervalUnit.WEEK)
PLAN = uuid.UUID(int=1)


def terms(
    effective_from: datetime.date,
    *,
    anchor: datetime.date = JAN_1,
    interval: Interval = MONTH,
    quantity: int = 1,
    unit_amount_minor: int = 1999,
) -> TermsInForce:
    return TermsInForce(effective_from, PLAN, "basic", "Basic", interval, quantity, unit_amount_minor, anchor)


def day(month: int, number: int = 1) -> datetime.date:
    return datetime.date(2026, month, number)


class TestInForce:
    @pytest.mark.parametrize(
        ("on", "quantity"),
        [
            (day(1), 1),
            (day(2, 27), 1),
            (day(2, 28), 2),
            (day(3, 9), 2),
            (day(3, 10), 3),
            (datetime.date(2200, 1, 1), 3),
        ],
    )
    def test_are_the_latest_that_are_effective_by_the_day(self, on: datetime.date, quantity: int) -> None:
        history = TermsHistory([terms(day(1)), terms(day(2, 28), quantity=2), terms(day(3, 10), quantity=3)])
        assert history.in_force(on).quantity == quantity

    def test_are_of_several_for_one_day_the_newest(self) -> None:
        history = TermsHistory([terms(day(1)), terms(day(2), quantity=5), terms(day(2), quantity=2)])
        assert (history.in_force(day(1, 31)).quantity, history.in_force(day(2)).quantity) == (1, 2)

    def test_are_the_first_before_all_of_them(self) -> None:
        history = TermsHistory([terms(day(3)), terms(day(4), quantity=2)])
        assert history.in_force(day(1)).quantity == 1

    def test_cost_the_quantity_of_the_unit_amount(self) -> None:
        assert terms(day(1), quantity=3, unit_amount_minor=1999).price_minor == 5997


class TestPeriodsDue:
    def test_have_each_the_terms_of_its_first_day(self) -> None:
        """The change of February 10 counts from March on, that of March 1 from that day on."""
        history = TermsHistory([terms(day(1)), terms(day(2, 10), quantity=2), terms(day(4), quantity=3)])
        found = [(due, each.quantity) for due, each in history.periods_due(since=day(1), as_of=day(4))]
        assert found == [
            (Period(day(1), day(2)), 1),
            (Period(day(2), day(3)), 1),
            (Period(day(3), day(4)), 2),
            (Period(day(4), day(5)), 3),
        ]

    def test_are_counted_from_the_anchor_of_their_terms(self) -> None:
        """A new period began on January 20: the old one, from January 1, isn't gone on with."""
        history = TermsHistory([terms(day(1)), terms(day(1, 20), anchor=day(1, 20))])
        found = [due for due, _ in history.periods_due(since=day(1, 20), as_of=day(2, 20))]
        assert found == [Period(day(1, 20), day(2, 20)), Period(day(2, 20), day(3, 20))]

    def test_change_their_length_with_the_interval(self) -> None:
        history = TermsHistory([terms(day(1)), terms(day(2), anchor=day(2), interval=WEEK)])
        found = [due for due, _ in history.periods_due(since=day(1), as_of=day(2, 8))]
        assert found == [Period(day(1), day(2)), Period(day(2), day(2, 8)), Period(day(2, 8), day(2, 15))]

    def test_go_on_whole_up_to_the_day_on_which_one_is_to_be_cut(self) -> None:
        """What begins on that day is due once it was cut, and nothing else meanwhile."""
        cut = terms(day(2, 15), anchor=day(2, 15), quantity=2)
        waiting = TermsHistory([terms(day(1))], cut=cut)
        found = [due for due, _ in waiting.periods_due(since=day(1), as_of=day(6))]
        assert found == [Period(day(1), day(2)), Period(day(2), day(3))]
        assert list(waiting.periods_due(since=day(3), as_of=day(6))) == []
        assert (waiting.pending(day(4)), waiting.in_force(day(4)).quantity) == (cut, 1)
        done = TermsHistory([terms(day(1)), cut])
        again = [(due, each.quantity) for due, each in done.periods_due(since=day(2, 15), as_of=day(4))]
        assert again == [(Period(day(2, 15), day(3, 15)), 2), (Period(day(3, 15), day(4, 15)), 2)]
        assert done.pending(day(3)) is None

    def test_are_none_before_the_first_is_due(self) -> None:
        assert list(TermsHistory([terms(day(1))]).periods_due(since=day(2), as_of=day(1, 31))) == []

    @given(
        changes=st.lists(
            st.tuples(st.integers(0, 800), st.sampled_from([MONTH, WEEK]), st.integers(1, 9)), min_size=1, max_size=5
        ),
        since=st.integers(0, 400),
    )
    def test_tile_time_whatever_changes(self, changes: list[tuple[int, Interval, int]], since: int) -> None:
        """No gap and no overlap, and each at the terms of its first day, as long as the anchors fit."""
        rows = [
            terms(JAN_1 + datetime.timedelta(days=days), interval=interval, quantity=quantity)
            for days, interval, quantity in sorted(changes, key=lambda change: change[0])
        ]
        # One anchor and one interval for all: a change of either begins a new period on its own day, elsewhere.
        rows = [row._replace(interval=rows[0].interval) for row in rows]
        history = TermsHistory(rows)
        start = JAN_1 + datetime.timedelta(days=since)
        due = list(islice(history.periods_due(since=start, as_of=start + datetime.timedelta(days=900)), 200))
        assert due[0][0].start >= start
        assert all(before.end == after.start for (before, _), (after, _) in pairwise(due))
        for period, in_force in due:
            effective = [row for row in rows if row.effective_from <= period.start] or rows[:1]
            assert in_force == effective[-1]
