"""Balances and statements of one account with a known history, and of any history."""

import datetime
import itertools
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.ids import new_id
from accounts.models import Account
from ledger.balances import balance, balances, book_totals
from ledger.models import REVERSIBLE, Book, Entry, EntryType
from ledger.posting import Posting, post, reversal_of
from ledger.statements import Statement, statement
from tests.builders import TODAY, a_plan, an_account
from tests.support.databases import rolled_back

FIRST, LAST = datetime.date(1970, 1, 1), datetime.date(2200, 12, 31)


OWED = (Book.RECEIVABLE, Book.OPENING)


def posted(account: Account, entry_type: str, amount_minor: int, day: int, *, reverses: Entry | None = None) -> Entry:
    """An entry of January 2026. What is owed comes as an opening balance, which names no invoice."""
    entry_id = new_id()
    description = f"{entry_type} of January {day}"
    posting = Posting(
        id=entry_id,
        type=EntryType(entry_type),
        account_id=account.id,
        amount_minor=amount_minor,
        currency=account.currency,
        description=description,
        idempotency_key=str(entry_id),
        books=OWED if entry_type == "opening_balance" else None,
    )
    if reverses is not None:
        posting = reversal_of(reverses, description=description)
    (written,) = post(postings=[posting], effective_on=datetime.date(2026, 1, day), author="test")
    return Entry.objects.get(id=written)


@pytest.fixture
def account() -> Account:
    """Owed 1999 from the 1st, credited 500 on the 5th and then 700 on the 3rd, and the 500 reversed on the 5th."""
    account = an_account()
    posted(account, "opening_balance", 1999, 1)
    credit = posted(account, "credit", 500, 5)
    posted(account, "credit", 700, 3)
    posted(account, "reversal", 500, 5, reverses=credit)
    return account


def of(account: Account, since: int | datetime.date, until: int | datetime.date) -> Statement:
    first, last = (day if isinstance(day, datetime.date) else datetime.date(2026, 1, day) for day in (since, until))
    return statement(account_id=account.id, since=first, until=last)


def lines_of(found: Statement) -> list[tuple[str, int, int]]:
    return [(line.entry.description, line.owed_minor, line.balance_minor) for line in found.lines]


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
