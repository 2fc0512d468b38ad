"""Two people move money of one account at once: the second waits for the account's lock, and then looks again."""

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from accounts.errors import OperationError
from accounts.models import Account
from invoices.credit_note_shares import UnableToCreditInvoice
from invoices.credit_notes import issue_credit_note
from invoices.credits import AlreadyReversed, grant_credit, reverse_entry
from invoices.models import CreditNote, Invoice
from invoices.write_offs import UnableToWriteOff, write_off_invoice
from ledger.balances import book_totals
from ledger.models import Entry
from payments.models import Payment
from payments.offline_payments import AlreadyRecorded, PossibleDuplicate
from payments.reversed_money import UnableToRecordReversal, record_reversed_payment
from tests.builders import at
from tests.support.databases import committed
from tests.support.owing import FEB_1, owing, owing_two_months, received, rows, state_of
from tests.support.refunds import paid
from tests.support.workers.threads import all_meet_before, threads, wait_until_blocked

Change = Callable[[], object]
SIGNED: dict[str, Any] = {"reason": "looked into", "author": "ann", "today": FEB_1, "now": at(FEB_1)}

pytestmark = committed


def oldest(account: Account) -> Invoice:
    return Invoice.objects.filter(account=account).earliest("id")


def written_off(account: Account) -> Entry:
    return write_off_invoice(invoice_id=oldest(account).id, **SIGNED)


def credited(account: Account, amount_minor: int | None = None) -> CreditNote:
    return issue_credit_note(invoice_id=oldest(account).id, amount_minor=amount_minor, **SIGNED)


def outcome_of(change: Change) -> Any:
    """What it returned, or the refusal that it raised."""
    try:
        return change()
    except OperationError as refusal:
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


def assert_state(account: Account, *, status: str, outstanding: int = 0, credit: int = 0) -> None:
    assert state_of(account) == (status, outstanding, credit)
    assert [sum(books.values()) for books in book_totals().values()] == [0]


class TestAWriteOffAndAPayment:
    def test_that_waits_for_it_is_a_recovery(self) -> None:
        account = owing()
        invoice = oldest(account)
        receive = partial(received, account, 2500, invoice_id=invoice.id)
        entry, payment = one_after_the_other(partial(written_off, account), receive)
        assert (entry.amount_minor, payment.amount_minor) == (1999, 2500)
        assert rows(account) == [("PAID", 0, 1999)]
        assert Entry.objects.get(type="recovery").amount_minor == 1999
        assert_state(account, status="ACTIVE", credit=501)

    def test_that_it_waits_for_leaves_it_the_rest(self) -> None:
        account = owing()
        receive = partial(received, account, 500, invoice_id=oldest(account).id)
        _, entry = one_after_the_other(receive, partial(written_off, account))
        assert entry.amount_minor == 1499
        assert rows(account) == [("UNCOLLECTIBLE", 0, 500)]
        assert_state(account, status="ACTIVE")

    def test_that_paid_everything_is_refused(self) -> None:
        account = owing()
        receive = partial(received, account, 1999, invoice_id=oldest(account).id)
        _, refused = one_after_the_other(receive, partial(written_off, account))
        assert isinstance(refused, UnableToWriteOff)
        assert rows(account) == [("PAID", 0, 1999)]
        assert_state(account, status="ACTIVE")

    @pytest.mark.parametrize("amount", [500, 1999, 5000])
    def test_at_the_same_time_end_in_one_order_or_the_other(self, amount: int) -> None:
        account = owing()
        receive = partial(received, account, amount, invoice_id=oldest(account).id)
        with all_meet_before("accounts.locked_accounts.lock_accounts", parties=2), threads() as start:
            receiving = start(partial(outcome_of, receive))
            writing_off = start(partial(outcome_of, partial(written_off, account)))
        assert receiving.result().amount_minor == amount
        ended = writing_off.result()
        given_up = 0 if isinstance(ended, UnableToWriteOff) else ended.amount_minor
        assert given_up in {1999, max(0, 1999 - amount)}
        assert_state(account, status="ACTIVE", credit=max(0, amount - 1999))


class TestTheSameTwice:
    def test_a_write_off_is_refused_the_second_time(self) -> None:
        account = owing()
        _, refused = one_after_the_other(partial(written_off, account), partial(written_off, account))
        assert isinstance(refused, UnableToWriteOff)
        assert Entry.objects.filter(type="write_off").count() == 1
        assert_state(account, status="ACTIVE")

    def test_a_credit_note_over_all_of_it_is_refused_the_second_time(self) -> None:
        account = owing()
        _, refused = one_after_the_other(partial(credited, account), partial(credited, account))
        assert isinstance(refused, UnableToCreditInvoice)
        assert CreditNote.objects.values_list("amount_minor", flat=True).get() == 1999
        assert_state(account, status="ACTIVE")

    def test_credit_notes_never_exceed_the_invoice(self) -> None:
        account = owing()
        note = partial(credited, account, 1500)
        _, refused = one_after_the_other(note, note)
        assert refused.errors == {
            "amount_minor": f"Of the invoice {oldest(account).number}, 4.99 USD is left to credit."
        }
        assert_state(account, status="PAST_DUE", outstanding=499)

    def test_a_payment_under_one_id_is_refused_the_second_time(self) -> None:
        account = owing_two_months()
        record = partial(received, account, 500, payment_id=uuid.uuid4())
        _, refused = one_after_the_other(record, record)
        assert isinstance(refused, AlreadyRecorded)
        assert Payment.objects.filter(gateway="offline").count() == 1
        assert_state(account, status="PAST_DUE", outstanding=3498)

    def test_a_payment_of_one_reference_and_amount_asks_to_confirm_the_second_time(self) -> None:
        account = owing_two_months()
        record = partial(received, account, 500)
        _, refused = one_after_the_other(record, record)
        assert isinstance(refused, PossibleDuplicate)
        assert_state(account, status="PAST_DUE", outstanding=3498)

    def test_payments_of_their_own_both_count(self) -> None:
        account = owing_two_months()
        one_after_the_other(partial(received, account, 1000), partial(received, account, 1500))
        assert rows(account) == [("PAID", 1999, 0), ("OPEN", 501, 0)]
        assert_state(account, status="PAST_DUE", outstanding=1498)

    @pytest.mark.parametrize("kind", ["write-off", "credit"])
    def test_a_reversal_is_refused_the_second_time(self, kind: str) -> None:
        account = owing()
        if kind == "write-off":
            entry = written_off(account)
        else:
            entry = grant_credit(account_id=account.id, amount_minor=700, **SIGNED)
        reverse = partial(reverse_entry, entry_id=entry.id, **SIGNED)
        _, refused = one_after_the_other(reverse, reverse)
        assert isinstance(refused, AlreadyReversed)
        assert Entry.objects.filter(type="reversal").count() == 1
        credit = 0 if kind == "write-off" else -700
        assert_state(account, status="PAST_DUE", outstanding=1999 if kind == "write-off" else 1299, credit=credit)

    def test_money_taken_back_is_recorded_once(self) -> None:
        payment = paid()
        take_back = partial(record_reversed_payment, payment_id=payment.id, **SIGNED)
        _, refused = one_after_the_other(take_back, take_back)
        assert isinstance(refused, UnableToRecordReversal)
        assert Entry.objects.filter(type="payment_reversed").count() == 1
        assert rows(payment.account) == [("OPEN", 0, 0)]


class TestAWriteOffAndCreditThatIsTakenBack:
    @pytest.mark.parametrize("order", ["write-off first", "credit first"])
    def test_leave_a_debt_that_the_next_invoice_brings_forward(self, order: str) -> None:
        """Credit that was used makes the balance negative: its invoice stays as it is, in either order."""
        account = owing()
        credit = grant_credit(account_id=account.id, amount_minor=700, **SIGNED)
        changes: list[Change] = [
            partial(written_off, account),
            partial(reverse_entry, entry_id=credit.id, **SIGNED),
        ]
        if order == "credit first":
            changes.reverse()
        one_after_the_other(*changes)
        assert Entry.objects.get(type="write_off").amount_minor == 1299
        assert rows(account) == [("UNCOLLECTIBLE", 700, 0)]
        assert_state(account, status="ACTIVE", credit=-700)


class TestACreditNoteAndAWriteOff:
    def test_first_the_note_and_then_what_is_left(self) -> None:
        account = owing()
        _, entry = one_after_the_other(partial(credited, account, 500), partial(written_off, account))
        assert entry.amount_minor == 1499
        assert_state(account, status="ACTIVE")

    def test_first_the_write_off_and_the_note_takes_from_it(self) -> None:
        account = owing()
        one_after_the_other(partial(written_off, account), partial(credited, account))
        assert rows(account) == [("VOID", 0, 0)]
        assert sorted(Entry.objects.values_list("type", "amount_minor")) == [
            ("charge", 1999),
            ("credit_note", 1999),
            ("recovery", 1999),
            ("write_off", 1999),
        ]
        assert_state(account, status="ACTIVE")
