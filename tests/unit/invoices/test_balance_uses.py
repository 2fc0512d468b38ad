"""What goes between an account's credit balance and an invoice."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoices.balance_uses import Use, applied, uses_of
from invoices.models import BalanceUse

TODAY = datetime.date(2026, 1, 1)
CREDIT, BROUGHT, CARRIED = BalanceUse.Kind.CREDIT, BalanceUse.Kind.BROUGHT_FORWARD, BalanceUse.Kind.CARRIED_FORWARD


def used(balance: int, outstanding: int, *, is_automatic: bool = True) -> list[Use]:
    return uses_of(
        balance_minor=balance, outstanding_minor=outstanding, is_automatic=is_automatic, currency="USD", today=TODAY
    )


class TestUsesOf:
    """USD can't be collected below 0.50."""

    @pytest.mark.parametrize(
        ("balance", "outstanding", "expected"),
        [
            (0, 1000, []),
            (0, 0, []),
            (700, 0, []),
            (700, 1000, [(CREDIT, 700)]),
            (1500, 1000, [(CREDIT, 1000)]),
            (970, 1000, [(CREDIT, 970), (CARRIED, 30)]),
            (950, 1000, [(CREDIT, 950)]),
            (0, 49, [(CARRIED, 49)]),
            (-30, 1000, [(BROUGHT, 30)]),
            (-30, 10, [(BROUGHT, 30), (CARRIED, 40)]),
        ],
    )
    def test_are_credit_or_a_debt_and_then_a_small_rest(
        self, balance: int, outstanding: int, expected: list[tuple[BalanceUse.Kind, int]]
    ) -> None:
        assert used(balance, outstanding) == [(kind, amount, TODAY) for kind, amount in expected]

    def test_carry_nothing_forward_of_an_invoice_that_is_sent(self) -> None:
        assert used(970, 1000, is_automatic=False) == [(CREDIT, 970, TODAY)]

    @given(balance=st.integers(-(10**6), 10**6), outstanding=st.integers(0, 10**6))
    def test_leave_nothing_below_zero_and_nothing_small_to_collect(self, balance: int, outstanding: int) -> None:
        uses = used(balance, outstanding)
        rest = outstanding - applied(uses)
        assert rest == 0 or rest >= 50
        assert all(use.amount_minor > 0 for use in uses)
        if balance >= 0 and rest:
            assert applied(uses) == balance
