"""Money received offline: for one invoice or for none, with the excess as credit."""

import datetime
import uuid
from typing import Any

import pytest

from accounts.errors import OperationError
from accounts.ids import new_id
from accounts.locked_accounts import UnknownAccount
from accounts.models import Account
from accounts.reasons import InvalidReason
from invoices.credit_notes import issue_credit_note
from ledger.balances import BalanceOutOfBounds, book_totals
from ledger.models import Book, Entry, EntryType
from ledger.posting import Posting, post
from payments.gateways.port import Unknown
from payments.offline_payments import AlreadyRecorded, PossibleDuplicate, UnableToRecordPayment
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, ScriptedGateway, a_plan, an_account, at, billed
from tests.support.databases import rolled_back
from tests.support.owing import (
    DECLINED,
    FEB_1,
    MAR_1,
    answers,
    invoices_of,
    owing,
    owing_two_months,
    received,
    rows,
    state_of,
)
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

LARGEST = 99_999_999


def refused(account: Account, refusal: type[OperationError], amount_minor: int = 500, **given: Any) -> OperationError:
    with nothing_moves(), pytest.raises(refusal) as caught:
        received(account, amount_minor, **given)
    return caught.value


class TestForNoInvoice:
    def test_writes_a_payment_and_its_entry(self) -> None:
        account = an_account()
        payment = received(account, 500, reference=" SEPA 17 ", reason=" by transfer ", currency="USD")
        payment.refresh_from_db()
        assert (payment.status, payment.gateway, payment.gateway_reference) == ("SUCCEEDED", "offline", "SEPA 17")
        assert (payment.account_id, payment.invoice_id, payment.cause) == (account.id, None, "offline")
        assert (payment.amount_minor, payment.currency, payment.excess_minor) == (500, "USD", 500)
        assert (payment.submitted_at, payment.completed_at, payment.created_by) == (NOW, NOW, "staff:anna")
        entry = Entry.objects.get()
        assert (entry.type, entry.debit, entry.credit, entry.amount_minor) == ("payment", "cash", "receivable", 500)
        assert (entry.payment_id, entry.idempotency_key) == (payment.id, f"payment:{payment.id}")
        assert (entry.description, entry.created_by, entry.effective_on) == ("by transfer", "staff:anna", TODAY)
        assert (entry.invoice_id, entry.period_start, entry.period_end) == (None, None, None)
        assert state_of(account) == ("PENDING", 0, 500)

    def test_pays_open_invoices_the_oldest_first_and_keeps_the_rest_for_the_next(self) -> None:
        account = owing_two_months()
        received(account, 2500)
        assert rows(account) == [("PAID", 1999, 0), ("OPEN", 501, 0)]
        assert state_of(account) == ("PAST_DUE", 1498, 0)
        received(account, 2000)
        assert rows(account) == [("PAID", 1999, 0), ("PAID", 1999, 0)]
        assert state_of(account) == ("ACTIVE", 0, 502)
        gateway = ScriptedGateway()
        billed(as_of=MAR_1, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [1497]
        assert rows(account)[2] == ("PAID", 502, 1497)
        assert book_totals()["USD"] == dict.fromkeys(Book.values, 0) | {"revenue": -5997, "cash": 5997}

    def test_before_the_first_invoice_pays_it_and_makes_the_account_active(self) -> None:
        account = an_account()
        received(account, 1999)
        assert state_of(account) == ("PENDING", 0, 1999)
        gateway = ScriptedGateway()
        billed(as_of=TODAY, gateway=gateway)
        assert (state_of(account), gateway.requests) == (("ACTIVE", 0, 0), [])

    def test_is_taken_of_a_closed_account_which_stays_so(self) -> None:
        account = owing_two_months()
        close_account(account_id=account.id, reason="left", author="t", today=FEB_1, now=at(FEB_1))
        received(account, 3998)
        assert rows(account) == [("PAID", 1999, 0), ("PAID", 1999, 0)]
        assert (state_of(account), account.inactive_reason) == (("INACTIVE", 0, 0), "closed")

    def test_leaves_an_invoice_alone_whose_own_payment_is_in_flight(self) -> None:
        account = owing(Unknown(reason="timed out"))
        received(account, 1999)
        assert rows(account) == [("OPEN", 0, 0)]
        assert state_of(account) == ("PENDING", 1999, 1999)

    def test_of_a_part_leaves_the_schedule_as_it_was(self) -> None:
        account = owing()
        received(account, 1000)
        assert state_of(account) == ("PAST_DUE", 999, 0)
        assert account.dunning_on == TODAY + datetime.timedelta(days=1)

    def test_pays_nothing_of_another_account(self) -> None:
        account, other = owing(), an_account(anchor_date=MAR_1)
        received(other, 1999)
        assert (state_of(account)[1:], state_of(other)[1:]) == ((1999, 0), (0, 1999))

    def test_takes_the_largest_amounts_exactly(self) -> None:
        account = an_account(plan=a_plan(unit_amount_minor=LARGEST))
        for _ in range(3):
            received(account, LARGEST, is_another=True)
        assert state_of(account)[2] == 3 * LARGEST
        for day in (TODAY, FEB_1):
            billed(as_of=day, gateway=answers(DECLINED))
        assert rows(account) == [("PAID", LARGEST, 0)] * 2
        assert state_of(account) == ("ACTIVE", 0, LARGEST)


class TestForAnInvoice:
    def test_pays_that_one_and_no_older_one(self) -> None:
        account = owing_two_months()
        payment = received(account, 1999, invoice_id=invoices_of(account)[1].id)
        assert (payment.applied_minor, payment.excess_minor) == (1999, 0)
        assert rows(account) == [("OPEN", 0, 0), ("PAID", 0, 1999)]
        assert Entry.objects.get(payment_id=payment.id).invoice_id == invoices_of(account)[1].id

    def test_gives_the_excess_to_the_others(self) -> None:
        account = owing_two_months()
        payment = received(account, 2500, invoice_id=invoices_of(account)[1].id)
        assert (payment.applied_minor, payment.excess_minor) == (1999, 501)
        assert rows(account) == [("OPEN", 501, 0), ("PAID", 0, 1999)]
        assert state_of(account) == ("PAST_DUE", 1498, 0)

    def test_that_is_the_first_makes_the_account_active_once_it_is_paid(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=answers(Unknown(reason="timed out")))
        received(account, 1000, invoice_id=invoices_of(account)[0].id)
        assert state_of(account) == ("PENDING", 999, 0)
        received(account, 999, invoice_id=invoices_of(account)[0].id)
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_that_is_paid_already_is_all_credit(self) -> None:
        account = owing()
        received(account, 1999, invoice_id=invoices_of(account)[0].id)
        payment = received(account, 700, invoice_id=invoices_of(account)[0].id)
        assert (payment.applied_minor, payment.excess_minor) == (0, 700)
        assert state_of(account) == ("ACTIVE", 0, 700)

    def test_of_a_sent_invoice_pays_it(self) -> None:
        account = an_account(collection_method="send_invoice")
        billed(as_of=TODAY)
        received(account, 1999, invoice_id=invoices_of(account)[0].id)
        assert rows(account) == [("PAID", 0, 1999)]
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_of_another_account_is_refused(self) -> None:
        account, other = owing(), owing()
        refusal = refused(account, UnableToRecordPayment, invoice_id=invoices_of(other)[0].id)
        assert refusal.errors == {"invoice": "This account has no such invoice."}
        refused(account, UnableToRecordPayment, invoice_id=uuid.uuid4())

    def test_that_is_void_is_refused(self) -> None:
        account = owing()
        (invoice,) = invoices_of(account)
        issue_credit_note(invoice_id=invoice.id, reason="r", author="t", today=TODAY, now=NOW)
        refusal = refused(account, UnableToRecordPayment, invoice_id=invoice.id)
        assert "is VOID" in refusal.errors["invoice"]


class TestTwice:
    def test_the_same_reference_and_amount_takes_a_confirmation(self) -> None:
        account = an_account()
        received(account, 500)
        refusal = refused(account, PossibleDuplicate, 500, reference=" SEPA 17 ")
        assert refusal.detail == (
            "5.00 USD with the reference 'SEPA 17' was recorded before, on 2026-01-01. If this is another payment, "
            "confirm it."
        )
        received(account, 500, is_another=True)
        assert state_of(account) == ("PENDING", 0, 1000)

    def test_another_amount_reference_or_account_takes_none(self) -> None:
        account, other = an_account(), an_account()
        received(account, 500)
        received(account, 501)
        received(account, 500, reference="SEPA 18")
        received(other, 500)
        assert (state_of(account)[2], state_of(other)[2]) == (1501, 500)

    def test_under_the_clients_own_id_is_recorded_once(self) -> None:
        account, id_ = owing(), new_id()
        assert received(account, 500, payment_id=id_).id == id_
        refused(account, AlreadyRecorded, 500, payment_id=id_)
        refused(account, AlreadyRecorded, 700, payment_id=id_, is_another=True)
        assert state_of(account) == ("PAST_DUE", 1499, 0)


class TestRefused:
    @pytest.mark.parametrize("amount", [0, -1, LARGEST + 1])
    def test_of_no_amount(self, amount: int) -> None:
        assert set(refused(an_account(), UnableToRecordPayment, amount).errors) == {"amount_minor"}

    @pytest.mark.parametrize("reference", ["", "  ", "x" * 201, "a\0b"])
    def test_with_no_reference(self, reference: str) -> None:
        assert set(refused(an_account(), UnableToRecordPayment, reference=reference).errors) == {"reference"}

    def test_in_another_currency(self) -> None:
        refusal = refused(an_account(), UnableToRecordPayment, currency="EUR")
        assert refusal.errors == {"currency": "The account is in USD."}

    def test_without_a_reason_or_an_account(self) -> None:
        account = an_account()
        refused(account, InvalidReason, reason=" ")
        refused(Account(id=uuid.uuid4()), UnknownAccount)

    def test_past_the_largest_balance(self) -> None:
        account = an_account()
        opening = Posting(EntryType.CREDIT, account.id, 2**53 - 100, "USD", "from before", "before")
        post(postings=[opening], effective_on=TODAY, author="t")
        refused(account, BalanceOutOfBounds, 100)
