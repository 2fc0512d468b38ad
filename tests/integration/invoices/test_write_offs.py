"""Write-offs: what is outstanding is given up, and what becomes of money that comes later."""

import uuid
from typing import Any

import pytest

from accounts.errors import OperationError
from accounts.models import Account, AccountChange
from accounts.reasons import InvalidReason
from invoices.credits import grant_credit, reverse_entry
from invoices.locked_invoices import UnknownInvoice
from invoices.write_offs import PaymentInFlight, UnableToWriteOff, write_off_invoice
from ledger.balances import book_totals
from ledger.models import Book, Entry
from payments.gateways.port import Unknown
from payments.reversed_money import record_reversed_payment
from rebilling.books import discrepancies
from rebilling.models import Run
from rebilling.reconciliation.summary import reconciliation_of
from subscriptions.lifecycle import close_account
from tests.builders import NOW, ScriptedGateway, an_account, at, billed
from tests.support.databases import rolled_back
from tests.support.owing import (
    FEB_1,
    MAR_1,
    invoices_of,
    owing,
    owing_two_months,
    received,
    rows,
    state_of,
)
from tests.support.refunds import entries_of, paid
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

SIGNED: dict[str, Any] = {"author": "staff:anna", "today": FEB_1, "now": at(FEB_1)}


def written_off(account: Account, which: int = 0, reason: str = "insolvent") -> Entry:
    return write_off_invoice(invoice_id=invoices_of(account)[which].id, reason=reason, **SIGNED)


def refused(refusal: type[OperationError], account: Account, **given: Any) -> OperationError:
    with nothing_moves(), pytest.raises(refusal) as caught:
        written_off(account, **given)
    return caught.value


class TestWriteOffInvoice:
    def test_gives_up_what_is_outstanding(self) -> None:
        account = owing_two_months()
        entry = written_off(account, reason=" insolvent ")
        assert (entry.type, entry.debit, entry.credit) == ("write_off", "bad_debt", "receivable")
        assert (entry.amount_minor, entry.invoice_id) == (1999, invoices_of(account)[0].id)
        assert (entry.description, entry.created_by, entry.effective_on) == ("insolvent", "staff:anna", FEB_1)
        assert entry.idempotency_key == f"write_off:{entry.id}"
        assert [each.status for each in invoices_of(account)] == ["UNCOLLECTIBLE", "OPEN"]
        assert state_of(account) == ("PAST_DUE", 1999, 0)

    def test_of_the_last_past_due_invoice_makes_the_account_active_and_ends_dunning(self) -> None:
        account = owing_two_months()
        for which in (0, 1):
            written_off(account, which)
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert (account.dunning_on, account.dunning_steps) == (None, 0)
        change = AccountChange.objects.filter(account=account).latest("id")
        assert (change.before, change.after) == ({"status": "PAST_DUE"}, {"status": "ACTIVE"})
        assert (change.reason, change.author) == ("nothing is past due", "staff:anna")
        assert book_totals()["USD"] == dict.fromkeys(Book.values, 0) | {"revenue": -3998, "bad_debt": 3998}

    def test_gives_up_only_what_was_not_paid(self) -> None:
        account = owing()
        received(account, 1500, invoice_id=invoices_of(account)[0].id)
        assert written_off(account).amount_minor == 499
        (invoice,) = invoices_of(account)
        assert (invoice.status, invoice.paid_minor, invoice.written_off_minor) == ("UNCOLLECTIBLE", 1500, 499)
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_of_an_inactive_account_leaves_it_so(self) -> None:
        account = owing_two_months()
        close_account(account_id=account.id, reason="left", author="t", today=FEB_1, now=at(FEB_1))
        for which in (0, 1):
            written_off(account, which)
        assert state_of(account) == ("INACTIVE", 0, 0)

    def test_lets_the_account_be_billed_on(self) -> None:
        account = owing()
        written_off(account)
        billed(as_of=FEB_1)
        assert rows(account) == [("UNCOLLECTIBLE", 0, 0), ("PAID", 0, 1999)]
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_stops_the_attempts_to_collect_it(self) -> None:
        account = owing()
        written_off(account)
        gateway = ScriptedGateway()
        for number in range(2, 9):
            billed(as_of=account.created_at.date().replace(day=number), gateway=gateway)
        assert gateway.requests == []

    def test_keeps_the_run_explained(self) -> None:
        account = owing_two_months()
        written_off(account)
        for run in Run.objects.all():
            found = reconciliation_of(run=run, now=at(FEB_1))
            assert (found.clean, found.charged.periods, found.due.periods) == (True, 1, 1)

    @pytest.mark.parametrize("paid_first", [True, False])
    def test_refuses_where_nothing_is_outstanding(self, paid_first: bool) -> None:
        account = paid().account if paid_first else owing()
        if not paid_first:
            written_off(account)
        status = "PAID" if paid_first else "UNCOLLECTIBLE"
        assert f"is {status}: there is nothing to write off" in refused(UnableToWriteOff, account).detail

    def test_refuses_while_a_payment_is_in_flight(self) -> None:
        account = owing(Unknown(reason="timed out"))
        assert refused(PaymentInFlight, account).passing  # type: ignore[attr-defined]

    def test_refuses_without_a_reason(self) -> None:
        refused(InvalidReason, owing(), reason=" ")

    def test_refuses_an_unknown_invoice(self) -> None:
        account = owing()
        with nothing_moves(), pytest.raises(UnknownInvoice):
            write_off_invoice(invoice_id=uuid.uuid4(), reason="r", **SIGNED)
        assert state_of(account) == ("PAST_DUE", 1999, 0)


class TestMoneyThatComesLater:
    def test_for_the_invoice_is_recovered(self) -> None:
        """19.99 written off, 10.00 comes: 9.99 stays written off; 9.99 more, and it is PAID."""
        account = owing()
        written_off(account)
        (invoice,) = invoices_of(account)
        received(account, 1000, invoice_id=invoice.id)
        (invoice,) = invoices_of(account)
        assert (invoice.status, invoice.paid_minor, invoice.written_off_minor) == ("UNCOLLECTIBLE", 1000, 999)
        assert entries_of(account)[1:] == [("write_off", 1999), ("payment", 1000), ("recovery", 1000)]
        received(account, 999, invoice_id=invoice.id)
        (invoice,) = invoices_of(account)
        assert (invoice.status, invoice.paid_minor, invoice.written_off_minor) == ("PAID", 1999, 0)
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert book_totals()["USD"] == dict.fromkeys(Book.values, 0) | {"revenue": -1999, "cash": 1999}

    def test_taken_back_and_given_up_again_each_write_off_can_be_reversed_alone(self) -> None:
        account = owing()
        first = written_off(account)
        transfer = received(account, 1000, invoice_id=invoices_of(account)[0].id)
        record_reversed_payment(payment_id=transfer.id, reason="bounced", **SIGNED)
        second = written_off(account)
        assert (first.amount_minor, second.amount_minor) == (1999, 1000)
        reverse_entry(entry_id=second.id, reason="mistake", **SIGNED)
        assert (rows(account), state_of(account)[1:]) == ([("OPEN", 0, 0)], (1000, 0))
        assert discrepancies() == []

    def test_above_what_was_written_off_is_credit(self) -> None:
        account = owing()
        written_off(account)
        payment = received(account, 2500, invoice_id=invoices_of(account)[0].id)
        assert (payment.excess_minor, payment.applied_minor) == (501, 1999)
        assert rows(account) == [("PAID", 0, 1999)]
        assert state_of(account) == ("ACTIVE", 0, 501)

    def test_for_no_invoice_is_credit_for_the_next(self) -> None:
        account = owing_two_months()
        for which in (0, 1):
            written_off(account, which)
        received(account, 1999)
        assert [each.status for each in invoices_of(account)] == ["UNCOLLECTIBLE"] * 2
        gateway = ScriptedGateway()
        billed(as_of=MAR_1, gateway=gateway)
        assert (gateway.requests, rows(account)[2]) == ([], ("PAID", 1999, 0))
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_as_goodwill_is_no_recovery(self) -> None:
        account = owing()
        written_off(account)
        grant_credit(account_id=account.id, amount_minor=500, reason="r", author="t", today=FEB_1, now=NOW)
        assert [each.status for each in invoices_of(account)] == ["UNCOLLECTIBLE"]
        assert state_of(account) == ("ACTIVE", 0, 500)
        other = an_account()
        assert state_of(other) == ("PENDING", 0, 0)
