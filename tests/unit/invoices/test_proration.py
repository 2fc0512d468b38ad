"""Proration, against what is known by heart and against the sum of the days."""

import datetime
import uuid
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from accounts.billing_calendar import Interval, IntervalUnit, period
from invoices.discounts import discount_of
from invoices.proration import Prorated, Segment, prorate, weighted_total
from invoices.taxes import Rate, taxed_lines

JAN_1, JAN_16, FEB_1 = datetime.date(2026, 1, 1), datetime.date(2026, 1, 16), datetime.date(2026, 2, 1)

MAX_COUNTS = {IntervalUnit.DAY: 366, IntervalUnit.WEEK: 52, IntervalUnit.MONTH: 12, IntervalUnit.YEAR: 3}
ANCHORS = st.dates(datetime.date(2023, 1, 1), datetime.date(2029, 12, 31)) | st.sampled_from(
    [datetime.date(2024, 2, 29), datetime.date(2026, 1, 31), datetime.date(2027, 12, 31)]
)
VAT = uuid.UUID(int=1)
DISCOUNTS = st.tuples(st.decimals(0, 100, places=3), st.just(0)) | st.tuples(st.none(), st.integers(0, 3000))
"""A percentage, or an amount."""
RATES = st.builds(Rate, st.integers(0, 30_000), st.booleans())
PRICES = st.integers(0, 5) | st.integers(0, 10**6) | st.integers(0, 10**12)


@st.composite
def histories(draw: st.DrawFn) -> tuple[datetime.date, datetime.date, int, list[tuple[datetime.date, int]]]:
    """A period with the price that it was billed at, and the changes that fall into it: the day and the new price."""
    unit = draw(st.sampled_from(IntervalUnit))
    interval = Interval(count=draw(st.integers(1, MAX_COUNTS[unit])), unit=unit)
    found = period(anchor=draw(ANCHORS), interval=interval, index=draw(st.integers(0, 13)))
    length = (found.end - found.start).days
    days = sorted(draw(st.lists(st.integers(0, length - 1), max_size=8)))
    prices = draw(st.lists(PRICES, min_size=len(days), max_size=len(days)))
    changes = [(found.start + datetime.timedelta(days=day), price) for day, price in zip(days, prices, strict=True)]
    return found.start, found.end, draw(PRICES), changes


def in_force(day: datetime.date, first: int, changes: list[tuple[datetime.date, int]]) -> int:
    """The price on that day: the last change by then."""
    return [first, *[price for since, price in changes if since <= day]][-1]


def january(billed_minor: int, *, day: datetime.date, price_minor: int, left_minor: int | None = None) -> Prorated:
    """A change of January, which was billed for so much, all of which is left unless `left_minor` says otherwise."""
    return prorate(
        start=JAN_1,
        end=FEB_1,
        segments=[Segment(JAN_1, billed_minor)],
        day=day,
        price_minor=price_minor,
        billed_minor=billed_minor,
        left_minor=billed_minor if left_minor is None else left_minor,
    )


class TestProrate:
    def test_credits_the_unused_days_and_charges_the_days_left(self) -> None:
        found = january(3100, day=JAN_16, price_minor=6200)
        assert found == Prorated(credit_minor=1600, charge_minor=3200)
        assert found.net_minor == 1600

    def test_counts_the_day_of_the_change_to_the_new_price(self) -> None:
        last = datetime.date(2026, 1, 31)
        for day, charge in ((JAN_1, 6200), (last, 200)):
            found = january(3100, day=day, price_minor=6200)
            assert found == Prorated(credit_minor=charge // 2, charge_minor=charge)

    def test_rounds_the_charge_half_up_and_the_credit_to_the_total(self) -> None:
        # 15 days of 1.00 and 16 of 2.00 are 1.5161: the charge of 1.0322 is 1.03, and 1.52 - 1.00 is to be paid.
        assert january(100, day=JAN_16, price_minor=200) == Prorated(credit_minor=51, charge_minor=103)
        half = prorate(
            start=JAN_1,
            end=datetime.date(2026, 1, 3),
            segments=[Segment(JAN_1, 0)],
            day=datetime.date(2026, 1, 2),
            price_minor=1,
            billed_minor=0,
            left_minor=0,
        )
        assert half == Prorated(credit_minor=0, charge_minor=1)

    def test_never_credits_more_than_is_left(self) -> None:
        assert january(3100, day=JAN_16, price_minor=0, left_minor=7) == Prorated(credit_minor=7, charge_minor=0)

    def test_leaves_given_back_what_a_person_gave_back(self) -> None:
        """Of 31.00, 10.00: the credit is more than is left, and the charge is more than that."""
        up = january(3100, day=JAN_1, price_minor=6200, left_minor=2100)
        down = january(6200, day=JAN_1, price_minor=3100, left_minor=5200)

        assert (up, down) == (Prorated(3100, 6200), Prorated(6200, 3100))

    def test_never_credits_below_zero_for_the_sake_of_a_rounding(self) -> None:
        # 0.4 and 0.4: each is 0, and together they are 1.
        start, end = JAN_1, datetime.date(2026, 1, 11)
        segments = [Segment(start, 4), Segment(datetime.date(2026, 1, 2), 0)]
        day = datetime.date(2026, 1, 10)
        assert weighted_total(start=start, end=end, segments=segments) == 0
        found = prorate(start=start, end=end, segments=segments, day=day, price_minor=4, billed_minor=0, left_minor=0)
        assert found == Prorated(credit_minor=0, charge_minor=1)

    @settings(max_examples=2000, deadline=None, derandomize=True, print_blob=True)
    @given(history=histories())
    @example(history=(JAN_1, FEB_1, 1999, [(JAN_16, 2999), (JAN_16, 1999)]))
    def test_bills_the_day_weighted_price_within_half_a_minor_unit(
        self, history: tuple[datetime.date, datetime.date, int, list[tuple[datetime.date, int]]]
    ) -> None:
        start, end, first, changes = history
        segments, billed = [Segment(start, first)], first
        for made, (day, price) in enumerate(changes, start=1):
            found = prorate(
                start=start,
                end=end,
                segments=segments,
                day=day,
                price_minor=price,
                billed_minor=billed,
                left_minor=billed,
            )
            assert 0 <= found.credit_minor <= billed
            assert found.charge_minor >= 0
            exact = Fraction(price * (end - day).days, (end - start).days)
            assert abs(found.charge_minor - exact) <= Fraction(1, 2) or found.credit_minor == 0
            segments.append(Segment(day, price))
            billed += found.net_minor
            days = [start + datetime.timedelta(days=count) for count in range((end - start).days)]
            weighted = Fraction(sum(in_force(each, first, changes[:made]) for each in days), len(days))
            assert abs(billed - weighted) <= Fraction(1, 2)
            assert billed >= 0

    @settings(max_examples=500, deadline=None, derandomize=True, print_blob=True)
    @given(history=histories(), there=PRICES)
    def test_changing_back_on_the_same_day_leaves_nothing_to_pay(
        self, history: tuple[datetime.date, datetime.date, int, list[tuple[datetime.date, int]]], there: int
    ) -> None:
        start, end, first, changes = history
        segments = [Segment(start, first), *[Segment(*change) for change in changes]]
        day, back = segments[-1]
        billed = weighted_total(start=start, end=end, segments=segments)
        first_change = prorate(
            start=start, end=end, segments=segments, day=day, price_minor=there, billed_minor=billed, left_minor=billed
        )
        segments.append(Segment(day, there))
        second = prorate(
            start=start,
            end=end,
            segments=segments,
            day=day,
            price_minor=back,
            billed_minor=billed + first_change.net_minor,
            left_minor=billed + first_change.net_minor,
        )
        assert first_change.net_minor + second.net_minor == 0


class TestWithADiscountAndATax:
    """A pause begins with the end of a period, and falls into none: a price of nothing is all that it can be within
    one.
    """

    @settings(max_examples=2000, deadline=None, derandomize=True, print_blob=True)
    @given(history=histories(), discount=DISCOUNTS, rate=RATES)
    def test_each_day_costs_its_discounted_price_and_the_tax_of_that(
        self,
        history: tuple[datetime.date, datetime.date, int, list[tuple[datetime.date, int]]],
        discount: tuple[Decimal | None, int],
        rate: Rate,
    ) -> None:
        start, end, first, changes = history
        percent, amount = discount
        rates = {VAT: rate}

        def net(price: int) -> int:
            return price - discount_of(price_minor=price, percent=percent, amount_minor=amount)

        segments, billed = [Segment(start, net(first))], net(first)
        documents = [taxed_lines(lines=[(billed, VAT)], rates=rates)]
        for day, price in changes:
            found = prorate(
                start=start,
                end=end,
                segments=segments,
                day=day,
                price_minor=net(price),
                billed_minor=billed,
                left_minor=billed,
            )
            segments.append(Segment(day, net(price)))
            billed += found.net_minor
            lines = [(-found.credit_minor, VAT), (found.charge_minor, VAT)]
            documents.append(taxed_lines(lines=lines, rates=rates))
        days = [start + datetime.timedelta(days=count) for count in range((end - start).days)]
        exact = Fraction(sum(net(in_force(day, first, changes)) for day in days), len(days))
        assert abs(billed - exact) <= Fraction(1, 2)
        tax = sum(line.tax_minor for lines in documents for line in lines)
        share = Fraction(rate.thousandths, rate.of)
        # Rounded once a document; and the price that it is of is right to half a unit.
        assert abs(tax - exact * share) <= Fraction(len(documents), 2) + share / 2
        total = sum(line.total_minor for lines in documents for line in lines)
        assert total == billed + (0 if rate.is_inclusive else tax)


class TestWeightedTotal:
    @pytest.mark.parametrize(
        ("segments", "total"),
        [
            ([Segment(JAN_1, 1999)], 1999),
            ([Segment(JAN_1, 3100), Segment(JAN_16, 6200)], 4700),
            ([Segment(JAN_1, 3100), Segment(JAN_1, 6200)], 6200),
            ([Segment(JAN_1, 3100), Segment(JAN_16, 0)], 1500),
        ],
    )
    def test_weighs_each_price_with_its_days(self, segments: list[Segment], total: int) -> None:
        assert weighted_total(start=JAN_1, end=FEB_1, segments=segments) == total
