"""Lines below zero: what credit notes take from an invoice that has one, and what the database refuses."""

import datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.errors import violated_constraint
from accounts.models import Account
from invoices.credit_note_shares import UnableToCreditInvoice
from invoices.credit_notes import issue_credit_note
from invoices.models import CreditNote, Invoice, InvoiceLine
from payments.models import Payment
from rebilling.books import discrepancies
from rebilling.models import Rebilling
from subscriptions.agreed_terms import TermsChanges
from subscriptions.terms_changes import change_terms
from tests.builders import TODAY, a_plan, an_account, at, billed
from tests.support.databases import rolled_back
from tests.support.owing import invoices_of, state_of
from tests.support.payments import collected
from tests.support.unchanged import nothing_moves

JAN_16 = datetime.date(2026, 1, 16)
SIGNED: dict[str, Any] = {"reason": "mistake", "author": "bo", "today": JAN_16, "now": at(JAN_16)}

pytestmark = rolled_back


@pytest.fixture
def account() -> Account:
    """31.00 for January, and 16.00 more for a second unit since the 16th: -16.00 and 32.00. Both are paid."""
    made = an_account(plan=a_plan(unit_amount_minor=3100))
    billed(as_of=TODAY)
    change_terms(account_id=made.id, changes=TermsChanges(quantity=2), **SIGNED)
    collected(Payment.objects.get(account=made, status="SUBMITTED").id, day=JAN_16)
    return made


def status_of_the_period() -> str:
    return Rebilling.objects.get().status


class TestCreditNotes:
    def test_of_all_take_the_total_from_the_lines_above_zero(self, account: Account) -> None:
        first, second = invoices_of(account)
        note = issue_credit_note(invoice_id=second.id, **SIGNED)
        assert [(each.line.position, each.amount_minor) for each in note.lines.select_related("line")] == [(2, 1600)]
        assert status_of_the_period() == "CHARGED"
        assert state_of(account) == ("ACTIVE", 0, 1600)
        issue_credit_note(invoice_id=first.id, **SIGNED)
        assert status_of_the_period() == "VOIDED"
        assert discrepancies() == []

    def test_of_the_periods_own_line_leave_it_charged_while_something_is_left(self, account: Account) -> None:
        first, second = invoices_of(account)
        issue_credit_note(invoice_id=first.id, **SIGNED)
        assert status_of_the_period() == "CHARGED"
        issue_credit_note(invoice_id=second.id, amount_minor=1599, **SIGNED)
        assert status_of_the_period() == "CHARGED"
        issue_credit_note(invoice_id=second.id, **SIGNED)
        assert status_of_the_period() == "VOIDED"
        assert discrepancies() == []

    def test_by_line_never_take_more_than_the_total(self, account: Account) -> None:
        _, invoice = invoices_of(account)
        deduction, charge = invoice.lines.order_by("position")
        for line, amount in ((charge, 1601), (deduction, 1)):
            with nothing_moves(), pytest.raises(UnableToCreditInvoice):
                issue_credit_note(invoice_id=invoice.id, lines={line.id: amount}, **SIGNED)
        issue_credit_note(invoice_id=invoice.id, lines={charge.id: 1600}, **SIGNED)
        assert CreditNote.objects.get().amount_minor == 1600


class TestTheDatabaseRefuses:
    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ({"kind": "period"}, "invoice_line_not_negative"),
            ({"discount_minor": 1}, "invoice_line_not_negative"),
            ({"tax_minor": 1}, "invoice_line_not_negative"),
            ({"credited_minor": 1}, "invoice_line_not_credited_past_it"),
            ({"rebilling_id": None}, "invoice_line_of_a_period_names_it"),
            ({"period_end": JAN_16}, "invoice_line_of_a_period_names_it"),
        ],
    )
    def test_another_deduction(self, account: Account, changes: dict[str, Any], rule: str) -> None:
        line = InvoiceLine.objects.filter(amount_minor__lt=0).values().get()
        new = InvoiceLine(**line | {"id": None, "position": 3} | changes)
        new.id = InvoiceLine._meta.pk.get_default()
        with pytest.raises(IntegrityError) as caught, transaction.atomic():
            new.save(force_insert=True)
        assert violated_constraint(caught.value) == rule
        assert Invoice.objects.count() == 2
