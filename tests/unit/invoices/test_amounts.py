"""An invoice's amounts, and the status that follows from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoices.amounts import Amounts

minor = st.integers(0, 10**9)


class TestOutstanding:
    def test_is_what_is_left_of_the_total(self) -> None:
        amounts = Amounts(total=1999, credited=100, balance_applied=200, paid=300, written_off=400)
        assert amounts.outstanding == 999

    def test_is_more_than_the_total_where_a_debt_was_brought_forward(self) -> None:
        assert Amounts(total=1000, balance_applied=-30).outstanding == 1030

    def test_is_not_changed_by_what_was_given_back(self) -> None:
        amounts = Amounts(total=1999, paid=1999, refunded=500, credited_to_refund=500, credited_to_balance=300)
        assert amounts.outstanding == 0


class TestStatus:
    @pytest.mark.parametrize(
        ("amounts", "status"),
        [
            (Amounts(total=1999), "OPEN"),
            (Amounts(total=1999, paid=1998), "OPEN"),
            (Amounts(total=1999, paid=1999), "PAID"),
            (Amounts(total=1999, balance_applied=1999), "PAID"),
            (Amounts(total=1000, balance_applied=-30), "OPEN"),
            (Amounts(total=1000, balance_applied=-30, paid=1030), "PAID"),
            (Amounts(total=0), "PAID"),
            (Amounts(total=0, balance_applied=-30), "OPEN"),
            (Amounts(total=1999, credited=1999), "VOID"),
            (Amounts(total=1999, credited=1998, paid=1), "PAID"),
            (Amounts(total=1999, credited=1998, balance_applied=1), "PAID"),
            (Amounts(total=1999, credited=1999, balance_applied=-30, paid=30), "PAID"),
            (Amounts(total=1999, paid=1000), "OPEN"),
            (Amounts(total=1999, written_off=1999), "UNCOLLECTIBLE"),
            (Amounts(total=1999, paid=1998, written_off=1), "UNCOLLECTIBLE"),
            (Amounts(total=1999, credited=1000, written_off=999), "UNCOLLECTIBLE"),
            (Amounts(total=1999, written_off=500), "OPEN"),
        ],
    )
    def test_follows_from_the_amounts(self, amounts: Amounts, status: str) -> None:
        assert amounts.status == status

    @given(credited=minor, applied=st.integers(-(10**9), 10**9), paid=minor, written_off=minor, rest=minor)
    def test_is_open_just_while_something_is_outstanding(
        self, credited: int, applied: int, paid: int, written_off: int, rest: int
    ) -> None:
        total = credited + applied + paid + written_off + rest
        amounts = Amounts(total=total, credited=credited, balance_applied=applied, paid=paid, written_off=written_off)
        assert amounts.outstanding == rest
        assert (amounts.status == "OPEN") == (rest > 0)
        assert (amounts.status == "UNCOLLECTIBLE") == (rest == 0 and written_off > 0)
        assert amounts.status != "VOID" or paid == applied == written_off == 0 < credited


class TestLimits:
    @pytest.mark.parametrize(
        ("amounts", "to_credit", "to_refund"),
        [
            (Amounts(total=1999), 1999, 0),
            (Amounts(total=1999, paid=1999), 1999, 1999),
            (Amounts(total=1999, paid=1999, credited_to_balance=500), 1499, 1499),
            (Amounts(total=1999, paid=1999, refunded=700, credited_to_refund=700), 1299, 1299),
            (Amounts(total=1999, paid=1999, refunding=700), 1299, 1299),
            (Amounts(total=1999, paid=1999, refunded=700, credited_to_refund=700, refunding=300), 999, 999),
            (Amounts(total=1999, paid=1000, written_off=999), 1999, 1000),
            (Amounts(total=1999, credited=500, paid=1499), 1499, 1499),
            (Amounts(total=1000, balance_applied=-30, paid=1030), 1000, 1000),
            (Amounts(total=1999, credited=1999), 0, 0),
        ],
    )
    def test_are_never_past_the_total_or_what_was_paid(self, amounts: Amounts, to_credit: int, to_refund: int) -> None:
        assert (amounts.left_to_credit, amounts.left_to_refund) == (to_credit, to_refund)
