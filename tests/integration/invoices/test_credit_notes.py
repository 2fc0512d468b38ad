"""Credit notes: by amount, by lines or in full; what they take from, and what becomes of the periods."""

import uuid
from typing import Any

import pytest

from accounts.errors import OperationError
from accounts.ids import new_id
from accounts.models import Account
from accounts.reasons import InvalidReason
from invoices.credit_note_shares import RefundInFlight, UnableToCreditInvoice
from invoices.credit_notes import AlreadyIssued, issue_credit_note
from invoices.credits import grant_credit
from invoices.locked_invoices import UnknownInvoice
from invoices.models import CreditNote, InvoiceLine
from invoices.write_offs import PaymentInFlight, write_off_invoice
from ledger.balances import balance, book_totals
from ledger.models import Book, Entry
from payments.gateways.port import Unknown
from tests.builders import NOW, TODAY, ScriptedGateway, a_plan, an_account, at, billed, statuses_of
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED, FEB_1, MAR_1, answers, invoices_of, owing, received, rows, state_of
from tests.support.refunds import entries_of, paid, refunded, requested
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

SIGNED: dict[str, Any] = {
    "reason": "no service",
    "author": "staff:anna",
    "today": FEB_1,
    "now": at(FEB_1),
}


def credit_note(account: Account, amount_minor: int | None = None, *, which: int = 0, **given: Any) -> CreditNote:
    invoice = invoices_of(account)[which]
    return issue_credit_note(invoice_id=invoice.id, amount_minor=amount_minor, **(SIGNED | given))


def three_months(gateway: Any = None) -> Account:
    """One invoice of three lines of 1,999."""
    account = an_account()
    billed(as_of=MAR_1, gateway=gateway)
    return account


def lines_of(account: Account) -> list[InvoiceLine]:
    return list(InvoiceLine.objects.filter(invoice__account=account).order_by("invoice", "position"))


def credited_of(account: Account) -> list[int]:
    return [line.credited_minor for line in lines_of(account)]


def refused(account: Account, refusal: type[OperationError], **given: Any) -> OperationError:
    """The refusal, after a look that nothing moved."""
    with nothing_moves(), pytest.raises(refusal) as caught:
        credit_note(account, **given)
    return caught.value


class TestInFull:
    def test_of_an_unpaid_invoice_voids_it_and_its_period_and_ends_dunning(self) -> None:
        account = owing()
        note = credit_note(account)
        assert (note.amount_minor, note.from_outstanding_minor) == (1999, 1999)
        assert (note.from_written_off_minor, note.to_balance_minor, note.to_refund_minor) == (0, 0, 0)
        (invoice,) = invoices_of(account)
        assert (invoice.status, invoice.credited_minor) == ("VOID", 1999)
        assert statuses_of(account) == [(TODAY, "VOIDED")]
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert (account.dunning_on, account.dunning_steps) == (None, 0)
        assert entries_of(account) == [("charge", 1999), ("credit_note", 1999)]
        gateway = ScriptedGateway()
        billed(as_of=TODAY.replace(day=8), gateway=gateway)
        assert gateway.requests == []

    def test_of_a_paid_invoice_is_credit_for_the_next(self) -> None:
        account = paid().account
        note = credit_note(account)
        assert (note.from_outstanding_minor, note.to_balance_minor) == (0, 1999)
        (invoice,) = invoices_of(account)
        assert (invoice.status, invoice.credited_minor, invoice.credited_to_balance_minor) == ("PAID", 0, 1999)
        assert state_of(account) == ("ACTIVE", 0, 1999)
        gateway = ScriptedGateway()
        billed(as_of=FEB_1, gateway=gateway)
        assert (gateway.requests, rows(account)[1]) == ([], ("PAID", 1999, 0))
        assert statuses_of(account) == [(TODAY, "VOIDED"), (FEB_1, "CHARGED")]

    def test_counts_a_voided_period_as_covered(self) -> None:
        """Nothing is billed again for days that were given away."""
        account = paid().account
        credit_note(account)
        billed(as_of=TODAY.replace(day=15))
        assert statuses_of(account) == [(TODAY, "VOIDED")]

    def test_of_a_written_off_invoice_leaves_nothing_outstanding_and_no_credit(self) -> None:
        account = owing()
        write_off_invoice(invoice_id=invoices_of(account)[0].id, **SIGNED)
        note = credit_note(account)
        assert (note.from_written_off_minor, note.from_outstanding_minor, note.to_balance_minor) == (1999, 0, 0)
        (invoice,) = invoices_of(account)
        assert (invoice.status, invoice.written_off_minor, invoice.credited_minor) == ("VOID", 0, 1999)
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert entries_of(account)[1:] == [("write_off", 1999), ("credit_note", 1999), ("recovery", 1999)]
        assert book_totals()["USD"] == dict.fromkeys(Book.values, 0)

    def test_gives_back_what_is_left_after_others(self) -> None:
        account = paid().account
        credit_note(account, 500)
        assert credit_note(account).amount_minor == 1499
        assert state_of(account) == ("ACTIVE", 0, 1999)


class TestByAmount:
    def test_of_a_paid_invoice_goes_to_the_balance(self) -> None:
        """Charge 19.99 paid, credit note 5.00 to balance: the next charge of 19.99 collects 14.99."""
        account = paid().account
        credit_note(account, 500)
        assert state_of(account) == ("ACTIVE", 0, 500)
        gateway = ScriptedGateway()
        billed(as_of=FEB_1, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [1499]
        assert statuses_of(account) == [(TODAY, "CHARGED"), (FEB_1, "CHARGED")]

    def test_takes_what_is_outstanding_first(self) -> None:
        account = owing()
        received(account, 1000, invoice_id=invoices_of(account)[0].id)
        note = credit_note(account, 1500)
        assert (note.from_outstanding_minor, note.to_balance_minor) == (999, 501)
        (invoice,) = invoices_of(account)
        assert (invoice.status, invoice.credited_minor, invoice.credited_to_balance_minor) == ("PAID", 999, 501)
        assert state_of(account) == ("ACTIVE", 0, 501)

    def test_leaves_the_rest_of_a_declined_invoice_to_dunning(self) -> None:
        account = owing()
        credit_note(account, 500)
        assert state_of(account) == ("PAST_DUE", 1499, 0)
        gateway = ScriptedGateway()
        billed(as_of=TODAY.replace(day=2), gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [1499]
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_takes_what_was_written_off_before_it_gives_credit(self) -> None:
        account = owing()
        (invoice,) = invoices_of(account)
        received(account, 1000, invoice_id=invoice.id)
        write_off_invoice(invoice_id=invoice.id, **SIGNED)
        note = credit_note(account, 1200)
        assert (note.from_written_off_minor, note.to_balance_minor) == (999, 201)
        (invoice,) = invoices_of(account)
        assert (invoice.status, invoice.written_off_minor, invoice.paid_minor) == ("PAID", 0, 1000)
        assert state_of(account) == ("ACTIVE", 0, 201)

    def test_is_spread_over_the_lines_in_proportion_to_what_is_left_of_them(self) -> None:
        account = three_months()
        credit_note(account, 100)
        assert credited_of(account) == [34, 33, 33]
        credit_note(account, 5895)
        assert credited_of(account) == [1999, 1998, 1998]
        assert statuses_of(account) == [(TODAY, "VOIDED"), (FEB_1, "CHARGED"), (MAR_1, "CHARGED")]
        credit_note(account)
        assert credited_of(account) == [1999, 1999, 1999]
        assert {status for _, status in statuses_of(account)} == {"VOIDED"}

    def test_writes_an_entry_for_each_line_with_its_period(self) -> None:
        account = three_months()
        note = credit_note(account, 100)
        entries = list(Entry.objects.filter(type="credit_note").order_by("period_start"))
        assert [(entry.amount_minor, entry.period_start) for entry in entries] == [
            (34, TODAY),
            (33, FEB_1),
            (33, MAR_1),
        ]
        first = entries[0]
        assert (first.debit, first.credit, first.effective_on) == ("revenue", "receivable", FEB_1)
        assert (first.invoice_id, first.created_by) == (note.invoice_id, "staff:anna")
        assert first.description == f"Credit note {note.number}: {lines_of(account)[0].description}"
        assert first.idempotency_key == f"credit_note:{note.id}:1"
        assert sorted(note.lines.values_list("amount_minor", flat=True)) == [33, 33, 34]

    def test_has_a_number_of_a_series_of_its_own(self) -> None:
        account = paid().account
        numbers = [credit_note(account, 100).number for _ in range(3)]
        assert numbers == [f"{account.number_prefix}-CN-{count:04d}" for count in (1, 2, 3)]
        billed(as_of=FEB_1)
        assert invoices_of(account)[1].number == f"{account.number_prefix}-0002"
        account.refresh_from_db()
        assert (account.invoices_issued, account.credit_notes_issued) == (2, 3)

    def test_pays_another_open_invoice_at_once(self) -> None:
        account = paid().account
        billed(as_of=FEB_1, gateway=answers(DECLINED))
        credit_note(account, 1999)
        assert rows(account) == [("PAID", 0, 1999), ("PAID", 1999, 0)]
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_of_the_largest_amount_is_exact(self) -> None:
        account = paid(plan=a_plan(unit_amount_minor=99_999_999)).account
        credit_note(account, 99_999_999)
        assert state_of(account) == ("ACTIVE", 0, 99_999_999)


class TestByLines:
    def test_takes_these_amounts_of_these_lines(self) -> None:
        account = three_months()
        first, second, third = lines_of(account)
        note = credit_note(account, lines={first.id: 1999, third.id: 1})
        assert credited_of(account) == [1999, 0, 1]
        assert statuses_of(account) == [(TODAY, "VOIDED"), (FEB_1, "CHARGED"), (MAR_1, "CHARGED")]
        assert dict(note.lines.values_list("line", "amount_minor")) == {first.id: 1999, third.id: 1}
        assert state_of(account) == ("ACTIVE", 0, 2000)
        assert second.credited_minor == 0

    def test_refuses_more_than_is_left_of_a_line(self) -> None:
        account = three_months()
        line = lines_of(account)[1]
        credit_note(account, lines={line.id: 1000})
        refusal = refused(account, UnableToCreditInvoice, lines={line.id: 1000})
        assert refusal.errors == {"lines": "Line 2: from 0.01 to 9.99 USD."}

    @pytest.mark.parametrize("amount", [0, -1])
    def test_refuses_no_amount(self, amount: int) -> None:
        account = paid().account
        refusal = refused(account, UnableToCreditInvoice, lines={lines_of(account)[0].id: amount})
        assert set(refusal.errors) == {"lines"}

    def test_refuses_a_line_of_another_invoice(self) -> None:
        account, other = paid().account, paid().account
        foreign = lines_of(other)[0].id
        refusal = refused(account, UnableToCreditInvoice, lines={lines_of(account)[0].id: 1, foreign: 1})
        assert refusal.errors["lines"].endswith(f"has no line {foreign}.")

    def test_refuses_no_lines_at_all(self) -> None:
        refusal = refused(paid().account, UnableToCreditInvoice, lines={})
        assert refusal.errors == {"lines": "Name at least one line, or leave the lines out."}

    def test_refuses_what_a_refund_in_flight_has_reserved(self) -> None:
        payment = paid()
        requested(payment, 1500)
        line = lines_of(payment.account)[0]
        refusal = refused(payment.account, RefundInFlight, lines={line.id: 500})
        assert refusal.passing  # type: ignore[attr-defined]
        assert "4.99 USD is left to credit while a refund is in flight" in refusal.detail
        credit_note(payment.account, lines={line.id: 499})
        assert state_of(payment.account) == ("ACTIVE", 0, 499)


class TestBeyondOneMovement:
    """Three months of 40,000,000 on one invoice: more than a person may move at once."""

    def beyond(self) -> Account:
        account = an_account(unit_amount_minor=40_000_000)
        billed(as_of=MAR_1)
        return account

    def test_all_that_is_left_is_credited(self) -> None:
        account = self.beyond()
        assert credit_note(account).amount_minor == 120_000_000
        assert credited_of(account) == [40_000_000] * 3

    def test_an_amount_that_is_named_may_not_be_more(self) -> None:
        account = self.beyond()
        refusal = refused(account, UnableToCreditInvoice, amount_minor=100_000_000)
        assert "MAX_MOVEMENT_MINOR" in refusal.errors["amount_minor"]
        assert credit_note(account, 99_999_999).amount_minor == 99_999_999


class TestRefused:
    @pytest.mark.parametrize("amount", [2000, 99_999_999])
    def test_above_what_is_left(self, amount: int) -> None:
        account = paid().account
        refusal = refused(account, UnableToCreditInvoice, amount_minor=amount)
        assert refusal.errors["amount_minor"].endswith("19.99 USD is left to credit.")

    @pytest.mark.parametrize("amount", [0, -1, 100_000_000, 2**64])
    def test_of_no_amount(self, amount: int) -> None:
        refusal = refused(paid().account, UnableToCreditInvoice, amount_minor=amount)
        assert refusal.errors == {
            "amount_minor": "Must be from 0.01 USD to 999,999.99 USD (the setting MAX_MOVEMENT_MINOR)."
        }

    def test_where_nothing_is_left(self) -> None:
        account = paid().account
        credit_note(account)
        for given in ({}, {"amount_minor": 1}):
            refusal = refused(account, UnableToCreditInvoice, **given)
            assert "left" in refusal.errors["amount_minor"]

    def test_of_what_was_refunded_or_is_being_refunded(self) -> None:
        payment = paid()
        refunded(payment, 700)
        requested(payment, 300)
        for amount in (1000, 1299):
            refused(payment.account, RefundInFlight, amount_minor=amount)
        for amount in (1300, 0):
            refused(payment.account, UnableToCreditInvoice, amount_minor=amount)
        assert credit_note(payment.account, 999).to_balance_minor == 999
        # All that is left may come back, too.
        refused(payment.account, RefundInFlight)
        refused(payment.account, UnableToCreditInvoice, amount_minor=0)

    def test_while_a_payment_is_in_flight(self) -> None:
        account = owing(Unknown(reason="timed out"))
        assert refused(account, PaymentInFlight).passing  # type: ignore[attr-defined]
        refused(account, PaymentInFlight, amount_minor=1)

    @pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
    def test_without_a_reason(self, reason: str) -> None:
        refused(paid().account, InvalidReason, reason=reason)

    def test_for_an_unknown_invoice(self) -> None:
        with nothing_moves(), pytest.raises(UnknownInvoice):
            issue_credit_note(invoice_id=uuid.uuid4(), **SIGNED)


class TestBesideTheCreditBalance:
    def test_what_was_applied_from_it_is_given_back_to_it(self) -> None:
        account = an_account()
        grant_credit(account_id=account.id, amount_minor=1999, reason="r", author="t", today=TODAY, now=NOW)
        billed(as_of=TODAY)
        credit_note(account)
        (invoice,) = invoices_of(account)
        assert (invoice.status, invoice.credited_to_balance_minor) == ("PAID", 1999)
        assert state_of(account) == ("ACTIVE", 0, 1999)

    def test_a_small_debt_that_was_brought_forward_is_carried_on(self) -> None:
        """The invoice's own total is all that it can give back, and what is left is too small to collect."""
        account = an_account(unit_amount_minor=1000)
        grant_credit(account_id=account.id, amount_minor=970, reason="r", author="t", today=TODAY, now=NOW)
        billed(as_of=TODAY)
        billed(as_of=FEB_1, gateway=answers(DECLINED))
        assert state_of(account) == ("PAST_DUE", 1030, 0)
        assert credit_note(account, which=1).amount_minor == 1000
        assert state_of(account) == ("ACTIVE", 0, -30)
        assert balance(account_id=account.id) == 30


class TestAnIdThatTheClientMakes:
    def test_refuses_an_id_that_was_used_also_when_nothing_is_left(self) -> None:
        account, credit_note_id = owing(), new_id()
        note = credit_note(account, credit_note_id=credit_note_id)
        assert (note.id, note.amount_minor) == (credit_note_id, 1999)
        with pytest.raises(AlreadyIssued, match="This credit note was issued before"):
            credit_note(account, credit_note_id=credit_note_id)
        assert (rows(account), CreditNote.objects.count()) == ([("VOID", 0, 0)], 1)

    def test_issues_anew_without_an_id(self) -> None:
        account = owing()
        ids: set[uuid.UUID] = {credit_note(account, 500).id for _ in range(2)}
        assert (len(ids), state_of(account)[1]) == (2, 999)
