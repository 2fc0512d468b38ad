"""Two people move money of one account at once: the second waits for the account's lock, and then looks again."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from accounts.errors import Conflict
from accounts.models import Account
from ledger.balances import balance, book_totals
from ledger.models import Entry
from payments.models import Payment
from rebilling.adjustments import AlreadyReversed, grant_credit, reverse_entry
from rebilling.credit_allocation import free_credit
from rebilling.offline_payments import AlreadyRecorded
from rebilling.write_offs import NothingUnpaid, write_off
from tests.builders import TODAY, ScriptedGateway, an_account, at, billed
from tests.support.databases import committed
from tests.support.owing import DECLINED, FEB_1, owing_two_months, received, rows
from tests.support.workers.threads import all_meet_before, threads, wait_until_blocked

Change = Callable[[], object]


def written_off(account: Account) -> list[Entry]:
    return write_off(account_id=account.id, reason="insolvent", author="ann", today=FEB_1, now=at(FEB_1))


def reversed_(entry: Entry) -> Entry:
    return reverse_entry(entry_id=entry.id, reason="a slip", author="bo", today=FEB_1, now=at(FEB_1))


def outcome_of(change: Change) -> Any:
    """What it returned, or the refusal that it raised."""
    try:
        return change()
    except Conflict as refusal:
        return refusal


def one_after_the_other(first: Change, second: Change) -> tuple[Any, Any]:
    """The first holds the account's lock, not committed, when the second comes to it."""
    with threads() as start:
        with transaction.atomic():
            before = first()
            waiting = start(partial(outcome_of, second))
            wait_until_blocked()
            assert not waiting.done()
        return before, waiting.result()


def assert_sound(account: Account, *, status: str, owed_minor: int) -> None:
    account.refresh_from_db()
    assert (account.status, balance(account_id=account.id)) == (status, owed_minor)
    outstanding = sum(row.outstanding_minor for row in account.rebillings.filter(status__in=["CHARGED", "UNPAID"]))
    assert free_credit(account_ids=[account.id])[account.id] == outstanding - owed_minor >= 0
    assert [sum(books.values()) for books in book_totals().values()] == [0]


@committed
class TestAWriteOffAndAPayment:
    def test_that_waits_for_it_becomes_credit(self) -> None:
        account = owing_two_months()
        entries, payment = one_after_the_other(partial(written_off, account), partial(received, account, 2500))
        assert [entry.amount_minor for entry in entries] == [1999, 1999]
        assert payment.amount_minor == 2500
        assert rows(account) == [("WRITTEN_OFF", 0, 0), ("WRITTEN_OFF", 0, 0)]
        assert_sound(account, status="ACTIVE", owed_minor=-2500)

    def test_that_it_waits_for_leaves_it_the_rest(self) -> None:
        account = owing_two_months()
        _, entries = one_after_the_other(partial(received, account, 2500), partial(written_off, account))
        assert [entry.amount_minor for entry in entries] == [1498]
        assert rows(account) == [("PAID", 1999, 0), ("WRITTEN_OFF", 501, 0)]
        assert_sound(account, status="ACTIVE", owed_minor=0)

    def test_that_paid_everything_is_refused(self) -> None:
        account = owing_two_months()
        _, refused = one_after_the_other(partial(received, account, 3998), partial(written_off, account))
        assert isinstance(refused, NothingUnpaid)
        assert rows(account) == [("PAID", 1999, 0), ("PAID", 1999, 0)]
        assert_sound(account, status="ACTIVE", owed_minor=0)

    @pytest.mark.parametrize("amount", [1999, 2500, 5000])
    def test_at_the_same_time_end_in_one_order_or_the_other(self, amount: int) -> None:
        account = owing_two_months()
        with all_meet_before("accounts.locks.lock_accounts", parties=2), threads() as start:
            receiving = start(partial(outcome_of, partial(received, account, amount)))
            writing_off = start(partial(outcome_of, partial(written_off, account)))
        assert receiving.result().amount_minor == amount
        ended = writing_off.result()
        given_up = 0 if isinstance(ended, NothingUnpaid) else sum(entry.amount_minor for entry in ended)
        assert given_up in {3998, max(0, 3998 - amount)}
        assert_sound(account, status="ACTIVE", owed_minor=3998 - amount - given_up)


@committed
class TestTheSameTwice:
    def test_a_write_off_is_refused_the_second_time(self) -> None:
        account = owing_two_months()
        _, refused = one_after_the_other(partial(written_off, account), partial(written_off, account))
        assert isinstance(refused, NothingUnpaid)
        assert Entry.objects.filter(type="write_off").count() == 2
        assert_sound(account, status="ACTIVE", owed_minor=0)

    def test_a_payment_under_one_key_is_refused_the_second_time(self) -> None:
        account = owing_two_months()
        record = partial(received, account, 500, idempotency_key="form-1")
        _, refused = one_after_the_other(record, record)
        assert isinstance(refused, AlreadyRecorded)
        assert Payment.objects.filter(gateway="offline").count() == 1
        assert_sound(account, status="PAST_DUE", owed_minor=3498)

    def test_payments_under_keys_of_their_own_both_count(self) -> None:
        account = owing_two_months()
        one_after_the_other(partial(received, account, 1000), partial(received, account, 1500))
        assert rows(account) == [("PAID", 1999, 0), ("UNPAID", 501, 0)]
        assert_sound(account, status="PAST_DUE", owed_minor=1498)

    def test_the_reversal_of_a_write_off_is_refused_the_second_time(self) -> None:
        account = owing_two_months()
        january, _ = written_off(account)
        _, refused = one_after_the_other(partial(reversed_, january), partial(reversed_, january))
        assert isinstance(refused, AlreadyReversed)
        assert rows(account) == [("UNPAID", 0, 0), ("WRITTEN_OFF", 0, 0)]
        assert_sound(account, status="PAST_DUE", owed_minor=1999)


@committed
class TestAWriteOffAndCreditThatIsReversed:
    def test_before_it_writes_off_the_whole_charge(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(DECLINED))
        credit = grant_credit(
            account_id=account.id, amount_minor=700, reason="r", author="ann", today=FEB_1, now=at(FEB_1)
        )
        _, entries = one_after_the_other(partial(reversed_, credit), partial(written_off, account))
        assert [entry.amount_minor for entry in entries] == [1999]
        assert_sound(account, status="ACTIVE", owed_minor=0)

    def test_after_it_is_refused(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(DECLINED))
        credit = grant_credit(
            account_id=account.id, amount_minor=700, reason="r", author="ann", today=FEB_1, now=at(FEB_1)
        )
        entries, refused = one_after_the_other(partial(written_off, account), partial(reversed_, credit))
        assert [entry.amount_minor for entry in entries] == [1299]
        assert "reverse that write-off first" in refused.detail
        assert rows(account) == [("WRITTEN_OFF", 700, 0)]
        assert_sound(account, status="ACTIVE", owed_minor=0)
