"""The database's rules for invoices, lines and credit notes, each tried past the operations; nothing moves."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction

from accounts.errors import violated_constraint
from accounts.ids import new_id
from invoices.credit_notes import issue_credit_note
from invoices.models import CreditNote, Invoice
from invoices.write_offs import write_off_invoice
from tests.builders import NOW, TODAY, a_plan, an_account
from tests.support.databases import rolled_back
from tests.support.owing import invoices_of, owing
from tests.support.refunds import paid
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

SIGNED: dict[str, Any] = {"reason": "r", "author": "t", "today": TODAY, "now": NOW}


def refusal_of(act: Callable[[], object]) -> str:
    """The constraint that refuses, deferred ones included. Nothing moved."""
    with nothing_moves(), pytest.raises(IntegrityError) as caught, transaction.atomic():
        _act_and_check(act)
    return violated_constraint(caught.value)


def _act_and_check(act: Callable[[], object]) -> None:
    act()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def updated(invoice: Invoice, assignment: str) -> Callable[[], object]:
    def act() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE invoices_invoice SET {assignment} WHERE id = %(id)s", {"id": str(invoice.id)})

    return act


def copied(row: models.Model, **values: Any) -> Callable[[], object]:
    """Another row like this one, but for its id and what `values` say."""
    fields = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return lambda: type(row)(**(fields | {"id": new_id()} | values)).save(force_insert=True)


def void() -> Invoice:
    account = owing()
    issue_credit_note(invoice_id=invoices_of(account)[0].id, **SIGNED)
    return invoices_of(account)[0]


def uncollectible() -> Invoice:
    account = owing()
    write_off_invoice(invoice_id=invoices_of(account)[0].id, **SIGNED)
    return invoices_of(account)[0]


def open_() -> Invoice:
    return invoices_of(owing())[0]


def is_paid() -> Invoice:
    return invoices_of(paid().account)[0]


TO = {
    "OPEN": "status = 'OPEN', paid_minor = 0, credited_minor = 0, written_off_minor = 0",
    "PAID": "status = 'PAID', paid_minor = 1999, credited_minor = 0, written_off_minor = 0",
    "VOID": "status = 'VOID', paid_minor = 0, credited_minor = 1999, written_off_minor = 0",
    "UNCOLLECTIBLE": "status = 'UNCOLLECTIBLE', paid_minor = 0, credited_minor = 0, written_off_minor = 1999",
}
"""Each status with amounts that fit it, so that only the change itself can be refused."""
FROM: dict[str, Callable[[], Invoice]] = {
    "OPEN": open_,
    "PAID": is_paid,
    "VOID": void,
    "UNCOLLECTIBLE": uncollectible,
}
MOVES = {
    *(("OPEN", "PAID"), ("OPEN", "VOID"), ("OPEN", "UNCOLLECTIBLE"), ("PAID", "OPEN")),
    *(("UNCOLLECTIBLE", "PAID"), ("UNCOLLECTIBLE", "OPEN"), ("UNCOLLECTIBLE", "VOID")),
}


class TestStates:
    @pytest.mark.parametrize("before", FROM)
    @pytest.mark.parametrize("after", FROM)
    def test_change_only_as_the_page_of_states_has_it(self, before: str, after: str) -> None:
        invoice = FROM[before]()
        assert invoice.status == before
        if before == after or (before, after) in MOVES:
            updated(invoice, TO[after])()
            assert Invoice.objects.get(id=invoice.id).status == after
        else:
            assert refusal_of(updated(invoice, TO[after])) == "invoices_invoice_state"

    @pytest.mark.parametrize("status", ["VOID", "UNCOLLECTIBLE", "DRAFT"])
    def test_begin_as_open_or_paid(self, status: str) -> None:
        assert refusal_of(copied(open_(), status=status, number="another")) == "invoices_invoice_state"


class TestInvoices:
    @pytest.mark.parametrize(
        ("assignment", "constraint"),
        [
            ("status = 'PAID'", "invoice_status_matches_amounts"),
            ("paid_minor = 1999", "invoice_status_matches_amounts"),
            ("paid_minor = 2000", "invoice_status_matches_amounts"),
            ("status = 'UNCOLLECTIBLE', paid_minor = 1999", "invoice_status_matches_amounts"),
            ("status = 'PAID', written_off_minor = 1999", "invoice_status_matches_amounts"),
            ("credited_minor = -1", "invoice_amounts_not_negative"),
            ("written_off_minor = -1", "invoice_amounts_not_negative"),
            ("refunding_minor = -1", "invoice_amounts_not_negative"),
            ("credited_to_balance_minor = -1", "invoice_amounts_not_negative"),
            ("credited_to_balance_minor = 2000", "invoice_not_credited_past_its_total"),
            ("credited_to_refund_minor = 1999, credited_minor = 1", "invoice_not_credited_past_its_total"),
            ("paid_minor = 500, refunded_minor = 501", "invoice_not_refunded_past_what_was_paid"),
            (
                "paid_minor = 500, refunded_minor = 300, refunding_minor = 201",
                "invoice_not_refunded_past_what_was_paid",
            ),
        ],
    )
    def test_are_refused_amounts_that_do_not_add_up(self, assignment: str, constraint: str) -> None:
        assert refusal_of(updated(open_(), assignment)) == constraint

    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({}, "invoice_number_once"),
            ({"number": "X", "currency": "EUR"}, "invoice_in_its_accounts_currency"),
            ({"number": "X", "account_id": new_id()}, "invoice_in_its_accounts_currency"),
            ({"number": "X", "due_on": TODAY.replace(year=2025)}, "invoice_due_once_issued"),
            ({"number": "X", "total_minor": -1}, "invoice_amounts_not_negative"),
        ],
    )
    def test_are_their_accounts_and_have_a_number_of_their_own(self, values: dict[str, Any], constraint: str) -> None:
        assert refusal_of(copied(open_(), **values)) == constraint


class TestLines:
    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({}, "invoice_line_position_once"),
            ({"position": 2, "amount_minor": -1, "tax_minor": 5}, "invoice_line_not_negative"),
            ({"position": 2, "tax_minor": -1}, "invoice_line_not_negative"),
            ({"position": 2, "credited_minor": 2000}, "invoice_line_not_credited_past_it"),
            ({"position": 2, "credited_minor": -1}, "invoice_line_not_credited_past_it"),
            ({"position": 2, "period_start": None}, "invoice_line_of_a_period_names_it"),
            ({"position": 2, "rebilling_id": None}, "invoice_line_of_a_period_names_it"),
            ({"position": 2, "period_end": TODAY}, "invoice_line_of_a_period_names_it"),
            ({"position": 2, "rebilling_id": new_id()}, "invoice_line_names_a_rebilling"),
        ],
    )
    def test_are_refused_what_makes_no_sense(self, values: dict[str, Any], constraint: str) -> None:
        line = open_().lines.get()
        assert refusal_of(copied(line, **values)) == constraint

    def test_are_an_invoices(self) -> None:
        line = open_().lines.get()
        foreign_key = refusal_of(copied(line, invoice_id=new_id()))
        assert foreign_key.startswith("invoices_invoiceline_invoice_id_")
        assert foreign_key.endswith("_fk_invoices_invoice_id")


class TestCreditNotes:
    @pytest.fixture
    def note(self) -> CreditNote:
        account = paid().account
        return issue_credit_note(invoice_id=invoices_of(account)[0].id, amount_minor=500, **SIGNED)

    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({}, "credit_note_number_once"),
            ({"number": "X", "amount_minor": 501}, "credit_note_is_the_sum_of_its_parts"),
            ({"number": "X", "amount_minor": 0, "to_balance_minor": 0}, "credit_note_is_the_sum_of_its_parts"),
            (
                {"number": "X", "from_outstanding_minor": -1, "to_balance_minor": 501},
                "credit_note_is_the_sum_of_its_parts",
            ),
            ({"number": "X", "to_balance_minor": 0, "to_refund_minor": 500}, "credit_note_names_its_refund"),
            ({"number": "X", "refund_id": new_id()}, "credit_note_names_its_refund"),
            (
                {"number": "X", "to_balance_minor": 0, "to_refund_minor": 500, "refund_id": new_id()},
                "credit_note_names_a_refund",
            ),
            ({"number": "X", "currency": "EUR"}, "credit_note_of_its_accounts_invoice"),
        ],
    )
    def test_are_refused_what_makes_no_sense(self, note: CreditNote, values: dict[str, Any], constraint: str) -> None:
        assert refusal_of(copied(note, **values)) == constraint

    def test_are_of_an_invoice_of_their_account(self, note: CreditNote) -> None:
        other = an_account(plan=a_plan())
        assert refusal_of(copied(note, number="X", account_id=other.id)) == "credit_note_of_its_accounts_invoice"

    def test_have_a_line_once_and_of_some_amount(self, note: CreditNote) -> None:
        line = note.lines.get()
        assert refusal_of(copied(line)) == "credit_note_line_once"
        other = issue_credit_note(invoice_id=note.invoice_id, amount_minor=1, **SIGNED)
        assert refusal_of(copied(other.lines.get(), amount_minor=0, named_minor=0)) == "credit_note_line_not_zero"
