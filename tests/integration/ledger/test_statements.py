"""Statements of one account with a known history, and of any history, whose balances agree."""

import datetime
import itertools
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Account
from ledger.balances import balance, balances, book_totals
from ledger.models import REVERSIBLE, Entry
from ledger.statements import Statement
from tests.builders import a_plan, an_account
from tests.integration.ledger.history import an_account_of_january, of, posted
from tests.support.databases import rolled_back

FIRST, LAST = datetime.date(1970, 1, 1), datetime.date(2200, 12, 31)


@pytest.fixture
def account() -> Account:
    return an_account_of_january()


def lines_of(found: Statement) -> list[tuple[str, int, int]]:
    return [(line.entry.description, line.owed_minor, line.balance_minor) for line in found.lines]


@rolled_back
class TestStatement:
    def test_shows_what_was_owed_after_each_entry(self, account: Account) -> None:
        found = of(account, 1, 31)
        assert lines_of(found) == [
            ("opening_balance of January 1", 1999, 1999),
            ("credit of January 3", -700, 1299),
            ("credit of January 5", -500, 799),
            ("reversal of January 5", 500, 1299),
        ]
        assert (found.opening_minor, found.closing_minor) == (0, 1299)

    def test_opens_with_what_was_owed_before(self, account: Account) -> None:
        found = of(account, 3, 4)
        assert lines_of(found) == [("credit of January 3", -700, 1299)]
        assert (found.opening_minor, found.closing_minor) == (1999, 1299)

    def test_without_lines_closes_as_it_opens(self, account: Account) -> None:
        assert of(account, 2, 2) == Statement(opening_minor=1999, lines=[], closing_minor=1999)
        assert of(account, 6, 31) == Statement(opening_minor=1299, lines=[], closing_minor=1299)
        before = datetime.date(2025, 12, 31)
        assert of(account, FIRST, before) == Statement(opening_minor=0, lines=[], closing_minor=0)

    def test_leaves_other_accounts_out(self, account: Account) -> None:
        other = an_account()
        posted(other, "opening_balance", 1, 2)
        assert lines_of(of(other, 1, 31)) == [("opening_balance of January 2", 1, 1)]
        assert len(of(account, 1, 31).lines) == 4

    def test_of_entries_that_balance_owe_nothing(self) -> None:
        account = an_account()
        posted(account, "opening_balance", 1999, 1)
        credit = posted(account, "credit", 1999, 1)
        posted(account, "reversal", 1999, 1, reverses=credit)
        posted(account, "write_off", 1999, 2)
        assert [line[1:] for line in lines_of(of(account, 1, 31))] == [
            (1999, 1999),
            (-1999, 0),
            (1999, 1999),
            (-1999, 0),
        ]


movements = st.lists(
    st.tuples(
        st.sampled_from(["opening_balance", "credit", "write_off", "recovery", "reversal"]),
        st.integers(0, 1),
        st.integers(1, 10**6) | st.just(2**63 - 1),
        st.integers(1, 31),
    ),
    max_size=12,
)


@rolled_back
class TestAnyHistory:
    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        print_blob=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(history=movements, split=st.integers(1, 31))
    def test_balances_and_its_books_sum_to_zero(self, history: list[tuple[Any, ...]], split: int) -> None:
        with transaction.atomic():
            accounts = [an_account(), an_account(plan=a_plan(currency="JPY"))]
            owed = [0, 0]
            reversible: list[list[Entry]] = [[], []]
            for entry_type, whose, amount_minor, day in history:
                original = None
                if entry_type == "reversal":
                    if not reversible[whose]:
                        continue
                    original = reversible[whose].pop(0)
                amount = original.amount_minor if original else amount_minor
                entry = posted(accounts[whose], entry_type, amount, day, reverses=original)
                if entry_type in REVERSIBLE:
                    reversible[whose].append(entry)
                owed[whose] += amount if entry.debit == "receivable" else -amount
            totals = book_totals()
            assert [sum(books.values()) for books in totals.values()] == [0] * len(totals)
            for account, expected in zip(accounts, owed, strict=True):
                self._check(account, expected, totals, split)
            transaction.set_rollback(True)

    def _check(self, account: Account, owed: int, totals: dict[str, dict[str, int]], split: int) -> None:
        assert balance(account_id=account.id) == balances(account_ids=[account.id])[account.id] == owed
        # Each account has a currency of its own here.
        assert totals.get(account.currency, {}).get("receivable", 0) == owed
        whole = of(account, FIRST, LAST)
        assert (whole.opening_minor, whole.closing_minor) == (0, owed)
        assert sum(line.owed_minor for line in whole.lines) == owed
        assert [line.balance_minor for line in whole.lines] == list(
            itertools.accumulate(line.owed_minor for line in whole.lines)
        )
        before, after = (
            of(account, FIRST, split),
            of(account, datetime.date(2026, 1, split) + datetime.timedelta(1), LAST),
        )
        assert before.closing_minor == after.opening_minor
        assert before.closing_minor == balance(account_id=account.id, as_of=datetime.date(2026, 1, split))
        assert before.lines + after.lines == whole.lines
