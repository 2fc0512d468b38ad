"""Goodwill credit, and taking back a credit or a write-off."""

import datetime
import uuid
from typing import Any

import pytest

from accounts.errors import OperationError
from accounts.ids import new_id
from accounts.locked_accounts import UnknownAccount
from accounts.models import Account
from accounts.reasons import InvalidReason
from invoices.credits import (
    AlreadyCredited,
    AlreadyReversed,
    UnableToCredit,
    UnableToReverse,
    UnknownEntry,
    grant_credit,
    reverse_entry,
)
from invoices.write_offs import write_off_invoice
from ledger.balances import BalanceOutOfBounds
from ledger.models import Entry, EntryType
from ledger.posting import Posting, post
from payments.gateways.port import Unknown
from tests.builders import NOW, TODAY, ScriptedGateway, an_account, billed
from tests.support.databases import rolled_back
from tests.support.owing import (
    DECLINED,
    FEB_1,
    answers,
    invoices_of,
    owing,
    owing_two_months,
    received,
    rows,
    state_of,
)
from tests.support.refunds import entries_of, paid, refunded
from tests.support.unchanged import everything, nothing_moves

pytestmark = rolled_back

SIGNED: dict[str, Any] = {"author": "staff:anna", "today": TODAY, "now": NOW}


def credited(account: Account, amount_minor: int, **given: Any) -> Entry:
    return grant_credit(account_id=account.id, amount_minor=amount_minor, **({"reason": "sorry"} | SIGNED | given))


def written_off(account: Account, which: int = 0) -> Entry:
    return write_off_invoice(invoice_id=invoices_of(account)[which].id, reason="insolvent", **SIGNED)


def reversed_(entry: Entry, **given: Any) -> Entry:
    return reverse_entry(entry_id=entry.id, **({"reason": "by mistake"} | SIGNED | given))


def refused(refusal: type[OperationError], entry: Entry, **given: Any) -> OperationError:
    with nothing_moves(), pytest.raises(refusal) as caught:
        reversed_(entry, **given)
    return caught.value


class TestGrantCredit:
    def test_writes_an_entry_with_its_reason_and_author(self) -> None:
        account = an_account()
        entry = credited(account, 500, reason=" sorry ")
        assert (entry.type, entry.debit, entry.credit, entry.amount_minor) == ("credit", "credits", "receivable", 500)
        assert (entry.description, entry.created_by, entry.effective_on) == ("sorry", "staff:anna", TODAY)
        assert (entry.invoice_id, entry.idempotency_key) == (None, f"credit:{entry.id}")
        assert state_of(account) == ("PENDING", 0, 500)

    def test_pays_open_invoices_at_once_the_oldest_first(self) -> None:
        account = owing_two_months()
        credited(account, 2500)
        assert rows(account) == [("PAID", 1999, 0), ("OPEN", 501, 0)]
        assert state_of(account) == ("PAST_DUE", 1498, 0)
        credited(account, 2000)
        assert rows(account) == [("PAID", 1999, 0), ("PAID", 1999, 0)]
        assert state_of(account) == ("ACTIVE", 0, 502)

    def test_of_half_a_declined_invoice_leaves_the_other_half_to_be_dunned(self) -> None:
        """100.00 OPEN and declined, 50.00 of goodwill: applied at once, dunned for 50.00."""
        account = owing(unit_amount_minor=10_000)
        credited(account, 5000)
        assert state_of(account) == ("PAST_DUE", 5000, 0)
        gateway = ScriptedGateway()
        billed(as_of=TODAY + datetime.timedelta(days=1), gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [5000]
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_that_leaves_too_little_to_collect_carries_that_forward(self) -> None:
        account = owing()
        credited(account, 1969)
        assert rows(account) == [("PAID", 1999, 0)]
        assert state_of(account) == ("ACTIVE", 0, -30)

    def test_leaves_an_invoice_alone_whose_payment_is_in_flight(self) -> None:
        account = owing(Unknown(reason="timed out"))
        credited(account, 500)
        assert rows(account) == [("OPEN", 0, 0)]
        assert state_of(account) == ("PENDING", 1999, 500)

    def test_does_not_bill_an_unpaid_account_again(self) -> None:
        """Only money does."""
        account = owing()
        for number in range(1, 8):
            billed(as_of=TODAY + datetime.timedelta(days=number), gateway=answers(DECLINED))
        assert state_of(account)[0] == "INACTIVE"
        credited(account, 1999)
        assert state_of(account) == ("INACTIVE", 0, 0)
        assert account.inactive_reason == "unpaid"

    @pytest.mark.parametrize("amount", [0, -1, 100_000_000, 2**63])
    def test_refuses_an_invalid_amount(self, amount: int) -> None:
        account = an_account()
        before = everything()
        with pytest.raises(UnableToCredit) as refusal:
            credited(account, amount)
        assert set(refusal.value.errors) == {"amount_minor"}
        assert everything() == before

    def test_refuses_without_a_reason_and_for_an_unknown_account(self) -> None:
        account = an_account()
        before = everything()
        with pytest.raises(InvalidReason):
            credited(account, 1, reason=" ")
        with pytest.raises(UnknownAccount):
            credited(Account(id=uuid.uuid4()), 1)
        assert everything() == before

    def test_refuses_a_balance_past_the_largest(self) -> None:
        account = an_account()
        opening = Posting(EntryType.CREDIT, account.id, 2**53 - 100, "USD", "from before", "before")
        post(postings=[opening], effective_on=TODAY, author="t")
        credited(account, 99)
        with nothing_moves(), pytest.raises(BalanceOutOfBounds):
            credited(account, 1)


class TestAnIdThatTheClientMakes:
    def test_is_the_entrys(self) -> None:
        account, entry_id = an_account(), new_id()
        assert credited(account, 500, entry_id=entry_id).id == entry_id

    def test_refuses_an_id_that_was_used_whatever_else_is_asked_for(self) -> None:
        account, other, entry_id = an_account(), an_account(), new_id()
        credited(account, 500, entry_id=entry_id)
        for given, amount_minor in ((account, 500), (account, 700), (other, 500)):
            with pytest.raises(AlreadyCredited, match="This credit was granted before"):
                credited(given, amount_minor, entry_id=entry_id)
        assert entries_of(account) == [("credit", 500)]
        assert (state_of(account), state_of(other)) == (("PENDING", 0, 500), ("PENDING", 0, 0))

    def test_credits_anew_without_an_id(self) -> None:
        account = an_account()
        for _ in range(2):
            credited(account, 500)
        assert state_of(account) == ("PENDING", 0, 1000)


class TestReverseCredit:
    def test_that_was_not_used_takes_it_back(self) -> None:
        account = an_account()
        credit = credited(account, 500)
        reversal = reversed_(credit, reason=" by mistake ")
        assert (reversal.type, reversal.debit, reversal.credit) == ("reversal", "receivable", "credits")
        assert (reversal.amount_minor, reversal.reverses_id) == (500, credit.id)
        assert (reversal.description, reversal.created_by) == ("by mistake", "staff:anna")
        assert state_of(account) == ("PENDING", 0, 0)

    def test_that_was_used_makes_the_balance_negative_and_leaves_the_invoice_paid(self) -> None:
        """Goodwill 20.00, used by a charge of 19.99, then taken back: the next invoice collects 39.98."""
        account = an_account()
        credit = credited(account, 2000)
        billed(as_of=TODAY)
        assert rows(account) == [("PAID", 1999, 0)]
        reversed_(credit)
        assert rows(account) == [("PAID", 1999, 0)]
        assert state_of(account) == ("ACTIVE", 0, -1999)
        gateway = ScriptedGateway()
        billed(as_of=FEB_1, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [3998]
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_while_a_payment_is_in_flight_changes_nothing_of_its_invoice(self) -> None:
        account = an_account()
        credit = credited(account, 700)
        billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="timed out")))
        reversed_(credit)
        assert rows(account) == [("OPEN", 700, 0)]
        assert state_of(account) == ("PENDING", 1299, -700)

    def test_refuses_a_balance_past_the_largest(self) -> None:
        account = an_account()
        credit = credited(account, 500)
        owed = Posting(EntryType.RECOVERY, account.id, 2**53, "USD", "from before", "before")
        post(postings=[owed], effective_on=TODAY, author="t")
        refused(BalanceOutOfBounds, credit)


class TestReverseWriteOff:
    def test_makes_the_invoice_owed_again_and_dunned_anew(self) -> None:
        account = owing()
        entry = written_off(account)
        assert (state_of(account), account.dunning_on) == (("ACTIVE", 0, 0), None)
        reversal = reversed_(entry)
        assert (reversal.debit, reversal.credit, reversal.amount_minor) == ("receivable", "bad_debt", 1999)
        assert rows(account) == [("OPEN", 0, 0)]
        assert state_of(account) == ("PAST_DUE", 1999, 0)
        assert (account.dunning_on, account.dunning_steps) == (TODAY + datetime.timedelta(days=1), 0)
        billed(as_of=TODAY + datetime.timedelta(days=1))
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_is_paid_at_once_from_credit_that_came_meanwhile(self) -> None:
        account = owing()
        entry = written_off(account)
        credited(account, 2500)
        reversed_(entry)
        assert rows(account) == [("PAID", 1999, 0)]
        assert state_of(account) == ("ACTIVE", 0, 501)

    def test_keeps_what_was_paid_before(self) -> None:
        account = owing()
        received(account, 500)
        entry = written_off(account)
        assert entry.amount_minor == 1499
        reversed_(entry)
        assert rows(account) == [("OPEN", 500, 0)]
        assert state_of(account) == ("PAST_DUE", 1499, 0)

    def test_lets_it_be_written_off_again(self) -> None:
        account = owing()
        for _ in range(3):
            reversed_(written_off(account))
        assert state_of(account) == ("PAST_DUE", 1999, 0)
        assert entries_of(account)[1:] == [("write_off", 1999), ("reversal", 1999)] * 3

    def test_of_an_inactive_account_starts_no_dunning(self) -> None:
        account = owing()
        for number in range(1, 8):
            billed(as_of=TODAY + datetime.timedelta(days=number), gateway=answers(DECLINED))
        reversed_(written_off(account))
        assert state_of(account) == ("INACTIVE", 1999, 0)
        assert account.dunning_on is None

    def test_is_refused_once_some_of_it_came(self) -> None:
        account = owing()
        entry = written_off(account)
        received(account, 1, invoice_id=invoices_of(account)[0].id)
        refusal = refused(UnableToReverse, entry)
        assert refusal.detail.startswith("Some of what was written off was paid or credited since")

    def test_is_refused_where_it_names_no_invoice(self) -> None:
        account = an_account()
        carried = Posting(EntryType.WRITE_OFF, account.id, 30, "USD", "too small", "carried")
        (entry_id,) = post(postings=[carried], effective_on=TODAY, author="t")
        refusal = refused(UnableToReverse, Entry.objects.get(id=entry_id))
        assert refusal.detail.startswith("This write-off names no invoice")


class TestReverseEntry:
    def test_refuses_a_second_time(self) -> None:
        account = an_account()
        credit = credited(account, 500)
        reversed_(credit)
        refused(AlreadyReversed, credit)

    def test_refuses_a_reversal(self) -> None:
        account = an_account()
        reversal = reversed_(credited(account, 500))
        assert refused(UnableToReverse, reversal).detail.startswith("A reversal is not reversed")

    @pytest.mark.parametrize("entry_type", ["charge", "payment", "refund", "credit_note"])
    def test_refuses_what_is_corrected_otherwise(self, entry_type: str) -> None:
        refunded(paid(), 500)
        refusal = refused(UnableToReverse, Entry.objects.get(type=entry_type))
        assert "only a credit or a write-off is" in refusal.detail

    def test_refuses_an_unknown_entry(self) -> None:
        refused(UnknownEntry, Entry(id=uuid.uuid4()))

    def test_refuses_without_a_reason(self) -> None:
        refused(InvalidReason, credited(an_account(), 500), reason=" ")
