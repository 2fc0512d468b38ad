"""Taxes of an invoice: rounded once a rate, shared over its lines, and given back by credit notes to the last unit."""

import itertools
import uuid
from fractions import Fraction
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoices.taxes import Rate, amount_within, deductible, tax_credited, tax_rate_of, taxed_lines, with_tax

ADDED, INCLUDED, OTHER = (uuid.UUID(int=number) for number in (1, 2, 3))

amounts = st.lists(st.integers(0, 10**12), min_size=1, max_size=8)
rates = st.builds(Rate, thousandths=st.integers(0, 100_000), is_inclusive=st.booleans())


def taxes(over: list[int], rate: Rate) -> list[tuple[int, int]]:
    return [(tax, total) for tax, total in taxed_lines(lines=[(amount, ADDED) for amount in over], rates={ADDED: rate})]


class TestTaxRateOf:
    def test_is_the_accounts_own_before_the_default(self) -> None:
        assert tax_rate_of(SimpleNamespace(tax_rate_id=ADDED), default_id=OTHER) == ADDED
        assert tax_rate_of(SimpleNamespace(tax_rate_id=None), default_id=OTHER) == OTHER
        assert tax_rate_of(SimpleNamespace(tax_rate_id=None), default_id=None) is None


class TestTaxedLines:
    @pytest.mark.parametrize(
        ("over", "thousandths", "expected"),
        [
            ([10_000], 21_000, [(2100, 12_100)]),
            # 8.875% of 59.97 is 5.3223375: 5.32, where rounding each line would give 5.31.
            ([1999, 1999, 1999], 8875, [(178, 2177), (177, 2176), (177, 2176)]),
            # 19% of 0.03 is 0.0057: one cent, on the first line. Rounded by line it would be nothing.
            ([1, 1, 1], 19_000, [(1, 2), (0, 1), (0, 1)]),
            # A dinar has three decimals, a yen none.
            ([12_345], 5000, [(617, 12_962)]),
            ([980], 10_000, [(98, 1078)]),
            ([1005], 10_000, [(101, 1106)]),
            ([0, 500], 20_000, [(0, 0), (100, 600)]),
            ([1999], 100_000, [(1999, 3998)]),
            ([1999], 0, [(0, 1999)]),
        ],
    )
    def test_add_an_exclusive_tax(self, over: list[int], thousandths: int, expected: list[tuple[int, int]]) -> None:
        assert taxes(over, Rate(thousandths, is_inclusive=False)) == expected

    @pytest.mark.parametrize(
        ("over", "thousandths", "expected"),
        [
            # 19/119 of 119.00, and of 19.99: 3.1916....
            ([11_900], 19_000, [(1900, 11_900)]),
            ([1999], 19_000, [(319, 1999)]),
            # 9.575 in all, rounded up: 9.58.
            ([1999, 1999, 1999], 19_000, [(320, 1999), (319, 1999), (319, 1999)]),
            ([1100], 10_000, [(100, 1100)]),
            ([1999], 100_000, [(1000, 1999)]),
        ],
    )
    def test_find_an_inclusive_tax_within_the_amounts(
        self, over: list[int], thousandths: int, expected: list[tuple[int, int]]
    ) -> None:
        assert taxes(over, Rate(thousandths, is_inclusive=True)) == expected

    def test_are_rounded_once_for_each_of_several_rates(self) -> None:
        found = taxed_lines(
            lines=[(50, ADDED), (1190, INCLUDED), (777, None), (50, ADDED)],
            rates={ADDED: Rate(5000, is_inclusive=False), INCLUDED: Rate(19_000, is_inclusive=True)},
        )
        assert found == [(3, 53), (190, 1190), (0, 777), (2, 52)]

    @given(over=amounts, rate=rates)
    def test_are_within_half_a_unit_in_all_and_less_than_one_a_line(self, over: list[int], rate: Rate) -> None:
        whole = 100_000 + (rate.thousandths if rate.is_inclusive else 0)
        found = taxes(over, rate)
        exact = Fraction(sum(over) * rate.thousandths, whole)
        assert Fraction(-1, 2) < sum(tax for tax, _ in found) - exact <= Fraction(1, 2)
        for amount, (tax, total) in zip(over, found, strict=True):
            assert abs(tax - Fraction(amount * rate.thousandths, whole)) < 1
            assert 0 <= tax <= amount
            assert total == (amount if rate.is_inclusive else amount + tax)


class TestDeductions:
    @pytest.mark.parametrize(
        ("over", "rate", "expected"),
        [
            ([-1600, 3200], Rate(21_000, is_inclusive=False), [(-336, -1936), (672, 3872)]),
            # Alone it is rounded as what was charged: a half away from zero.
            ([-10], Rate(5000, is_inclusive=False), [(-1, -11)]),
            ([10], Rate(5000, is_inclusive=False), [(1, 11)]),
            ([-1190], Rate(19_000, is_inclusive=True), [(-190, -1190)]),
            # Half of 1 is in all 0.5, though each part is hundreds.
            ([-999, 1000], Rate(50_000, is_inclusive=False), [(-499, -1498), (500, 1500)]),
            ([-1000, 1000], Rate(8875, is_inclusive=False), [(-89, -1089), (89, 1089)]),
        ],
    )
    def test_have_a_tax_below_zero(self, over: list[int], rate: Rate, expected: list[tuple[int, int]]) -> None:
        assert taxes(over, rate) == expected

    @given(over=st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=8), rate=rates)
    def test_leave_the_tax_within_half_a_unit_in_all_and_one_a_line(self, over: list[int], rate: Rate) -> None:
        found = taxes(over, rate)
        exact = Fraction(sum(over) * rate.thousandths, rate.of)
        assert abs(sum(tax for tax, _ in found) - exact) <= Fraction(1, 2)
        mirrored = taxes([-amount for amount in over], rate)
        assert sum(tax for tax, _ in found) == -sum(tax for tax, _ in mirrored)
        for amount, (tax, total) in zip(over, found, strict=True):
            assert abs(tax - Fraction(amount * rate.thousandths, rate.of)) < 1
            assert min(0, amount) <= tax <= max(0, amount)
            assert total == (amount if rate.is_inclusive else amount + tax)


class TestAmountWithin:
    @given(total=st.integers(0, 10**12), rate=st.none() | rates)
    def test_is_the_largest_that_comes_to_no_more_with_its_tax(self, total: int, rate: Rate | None) -> None:
        amount = amount_within(total, rate)
        assert 0 <= with_tax(amount, rate) <= total < with_tax(amount + 1, rate)

    def test_may_leave_a_unit_that_no_amount_comes_to(self) -> None:
        rate = Rate(21_000, is_inclusive=False)
        assert (amount_within(1000, rate), with_tax(826, rate), with_tax(827, rate)) == (826, 999, 1001)


class TestTaxCredited:
    def test_is_the_share_of_the_tax(self) -> None:
        credited = {"tax_minor": 2100, "total_minor": 12_100}
        assert tax_credited(**credited, credited_minor=0, more_minor=12_100) == 2100
        assert tax_credited(**credited, credited_minor=0, more_minor=6050) == 1050
        assert tax_credited(**credited, credited_minor=6050, more_minor=6050) == 1050

    def test_of_three_parts_gives_the_tax_back_to_the_cent(self) -> None:
        # 3.47 of tax in 19.99: thirds of it are 1.1566..., so 1.16, then up to 2.31, then the rest.
        parts, before = [667, 666, 666], 0
        found = []
        for part in parts:
            found.append(tax_credited(tax_minor=347, total_minor=1999, credited_minor=before, more_minor=part))
            before += part
        assert found == [116, 115, 116]

    def test_of_no_tax_is_none(self) -> None:
        assert tax_credited(tax_minor=0, total_minor=0, credited_minor=0, more_minor=0) == 0

    @given(
        total=st.integers(1, 10**12),
        taxed=st.fractions(0, 1),
        cuts=st.lists(st.fractions(0, 1), max_size=6),
    )
    def test_of_any_parts_sums_to_the_whole_and_exceeds_no_part(
        self, total: int, taxed: Fraction, cuts: list[Fraction]
    ) -> None:
        tax = int(total * taxed)
        ends = [0, *sorted(int(total * cut) for cut in cuts), total]
        shares = []
        for before, after in itertools.pairwise(ends):
            part = after - before
            shares.append(tax_credited(tax_minor=tax, total_minor=total, credited_minor=before, more_minor=part))
            assert 0 <= shares[-1] <= part
        assert sum(shares) == tax


class TestDeductible:
    @given(
        lines=st.lists(st.tuples(st.integers(0, 10**12), st.sampled_from([None, ADDED, INCLUDED])), max_size=5),
        rate_id=st.sampled_from([None, ADDED, INCLUDED, OTHER]),
        maximum=st.integers(1, 10**13),
        rates=st.fixed_dictionaries(dict.fromkeys((ADDED, INCLUDED, OTHER), rates)),
    )
    def test_is_the_largest_after_which_the_total_is_not_below_zero(
        self,
        lines: list[tuple[int, uuid.UUID | None]],
        rate_id: uuid.UUID | None,
        maximum: int,
        rates: dict[uuid.UUID, Rate],
    ) -> None:
        def total(deducted: int) -> int:
            return sum(tax.total_minor for tax in taxed_lines(lines=[*lines, (-deducted, rate_id)], rates=rates))

        found = deductible(lines=lines, rate_id=rate_id, max_minor=maximum, rates=rates)
        assert 0 <= found <= maximum
        assert total(found) >= 0
        assert found == maximum or total(found + 1) < 0

    @pytest.mark.parametrize(
        ("lines", "rate_id", "maximum", "expected"),
        [
            ([(1999, None)], None, 5000, 1999),
            ([(1999, None)], None, 1998, 1998),
            ([(1000, ADDED)], ADDED, 5000, 1000),
            # 12.10 is what 10.00 comes to; without tax as much can be deducted.
            ([(1000, ADDED)], None, 5000, 1210),
            # 8.26 with 1.73 of tax is 9.99, and 8.27 with 1.74 of tax 10.01.
            ([(1000, None)], ADDED, 5000, 826),
            ([(1000, ADDED)], INCLUDED, 5000, 1210),
            ([], ADDED, 5000, 0),
            ([(0, ADDED)], None, 1, 0),
        ],
    )
    def test_is_known_where_it_is_known(
        self, lines: list[tuple[int, uuid.UUID | None]], rate_id: uuid.UUID | None, maximum: int, expected: int
    ) -> None:
        rates = {ADDED: Rate(21_000, is_inclusive=False), INCLUDED: Rate(21_000, is_inclusive=True)}
        assert deductible(lines=lines, rate_id=rate_id, max_minor=maximum, rates=rates) == expected
