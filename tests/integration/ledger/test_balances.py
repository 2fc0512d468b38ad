"""Balances of one account with a known history."""

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.ids import new_id
from accounts.models import Account
from ledger.balances import balance, balances
from tests.builders import TODAY, an_account
from tests.integration.ledger.history import an_account_of_january, of, posted
from tests.support.databases import rolled_back


@pytest.fixture
def account() -> Account:
    return an_account_of_january()


@rolled_back
class TestBalance:
    def test_is_what_the_account_owes_now(self, account: Account) -> None:
        assert balance(account_id=account.id) == 1299

    @pytest.mark.parametrize(("day", "owed"), [("2025-12-31", 0), ("2026-01-01", 1999), ("2026-01-02", 1999)])
    def test_as_of_a_day_counts_what_was_effective_by_its_end(self, account: Account, day: str, owed: int) -> None:
        assert balance(account_id=account.id, as_of=datetime.date.fromisoformat(day)) == owed

    def test_as_of_a_day_goes_by_effective_dates_and_not_by_the_order_of_writing(self, account: Account) -> None:
        by_day = [balance(account_id=account.id, as_of=datetime.date(2026, 1, day)) for day in range(1, 7)]
        assert by_day == [1999, 1999, 1299, 1299, 1299, 1299]

    def test_is_below_zero_when_the_account_has_credit(self) -> None:
        account = an_account()
        posted(account, "credit", 500, 1)
        assert balance(account_id=account.id) == -500

    def test_is_zero_without_entries(self) -> None:
        assert balance(account_id=an_account().id) == 0
        assert balance(account_id=new_id(), as_of=TODAY) == 0

    def test_holds_more_than_64_bits(self) -> None:
        account = an_account()
        for _ in range(3):
            posted(account, "opening_balance", 2**63 - 1, 1)
        assert balance(account_id=account.id) == 3 * (2**63 - 1)
        assert balances(account_ids=[account.id]) == {account.id: 3 * (2**63 - 1)}
        assert of(account, 1, 31).closing_minor == 3 * (2**63 - 1)

    def test_of_many_takes_one_statement_and_names_each(self, account: Account) -> None:
        other, without = an_account(), an_account()
        posted(other, "opening_balance", 700, 1)
        with CaptureQueriesContext(connection) as queries:
            found = balances(account_ids=[account.id, other.id, without.id])
        assert found == {account.id: 1299, other.id: 700, without.id: 0}
        assert len(queries) == 1
