"""Lines below zero: what credit notes take from an invoice that has one, and what the database refuses."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Sum

from accounts.errors import violated_constraint
from accounts.models import Account
from accounts.tax_rates import create_tax_rate
from invoices.credit_note_shares import UnableToCreditInvoice
from invoices.credit_notes import issue_credit_note
from invoices.models import CreditNote, Invoice, InvoiceLine
from ledger.models import Entry
from payments.account_updates import update_account
from payments.gateways.port import Declined
from payments.models import Payment
from rebilling.books import discrepancies
from rebilling.models import Rebilling
from subscriptions.agreed_terms import TermsChanges
from subscriptions.lifecycle import close_account
from subscriptions.terms_changes import change_terms
from tests.builders import NOW, TODAY, ScriptedGateway, a_plan, an_account, at, billed
from tests.support.databases import rolled_back
from tests.support.items import added
from tests.support.owing import FEB_1, invoices_of, state_of
from tests.support.payments import collected
from tests.support.refunds import refunded, sent
from tests.support.terms import JAN_16, JAN_21, billed_account, changed, lines_of, pay
from tests.support.unchanged import nothing_moves

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


def taken_by(note: CreditNote) -> list[tuple[int, int]]:
    """What the credit note takes off each line, by its position."""
    shares = note.lines.select_related("line").order_by("line__position")
    return [(share.line.position, share.amount_minor) for share in shares]


def status_of_the_period() -> str:
    return Rebilling.objects.get().status


class TestCreditNotes:
    def test_of_all_take_each_line_and_each_deduction_whole(self, account: Account) -> None:
        first, second = invoices_of(account)
        note = issue_credit_note(invoice_id=second.id, **SIGNED)
        assert taken_by(note) == [(1, -1600), (2, 3200)]
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
        note = issue_credit_note(invoice_id=invoice.id, lines={charge.id: 1600}, **SIGNED)
        assert (note.amount_minor, taken_by(note)) == (1600, [(1, -1600), (2, 3200)])
        assert discrepancies() == []

    def test_of_an_amount_take_their_part_of_the_deduction(self, account: Account) -> None:
        _, invoice = invoices_of(account)
        note = issue_credit_note(invoice_id=invoice.id, amount_minor=400, **SIGNED)
        assert (note.amount_minor, taken_by(note)) == (400, [(1, -400), (2, 800)])
        assert discrepancies() == []


class TestALineThatIsNamed:
    """20.00 for January, which a deduction paid, and a fee of 62.00."""

    @pytest.fixture
    def welcomed(self) -> Account:
        made = an_account(plan=a_plan(unit_amount_minor=2000))
        added(made, 6200, description="Fee")
        added(made, -2000, description="Welcome")
        billed(as_of=TODAY)
        return made

    def test_takes_the_last_of_the_others_along_and_their_period_goes_on(self, welcomed: Account) -> None:
        (invoice,) = invoices_of(welcomed)
        note = issue_credit_note(invoice_id=invoice.id, lines={invoice.lines.get(position=2).id: 6200}, **SIGNED)
        assert (note.amount_minor, taken_by(note)) == (6200, [(1, 2000), (2, 6200), (3, -2000)])
        assert_given_back_whole(invoice)
        assert status_of_the_period() == "CHARGED"
        changed(welcomed, quantity=2)
        # The rest of January was paid by the deduction all the same: 10.32 more, for 16 of 31 days.
        assert [line[2] for line in lines_of(invoices_of(welcomed)[1])] == [-1033, 2065]
        assert discrepancies() == []

    def test_before_stays_given_back(self, welcomed: Account) -> None:
        (invoice,) = invoices_of(welcomed)
        plan, fee, _ = invoice.lines.order_by("position")
        for line, amount in ((plan, 1500), (fee, 4700)):
            issue_credit_note(invoice_id=invoice.id, lines={line.id: amount}, **SIGNED)
        assert_given_back_whole(invoice)
        assert status_of_the_period() == "CHARGED"
        changed(welcomed, quantity=2)
        assert [line[2] for line in lines_of(invoices_of(welcomed)[1])] == [-1033, 2065]
        assert discrepancies() == []

    def test_voids_its_own_period(self, welcomed: Account) -> None:
        (invoice,) = invoices_of(welcomed)
        plan, fee, _ = invoice.lines.order_by("position")
        issue_credit_note(invoice_id=invoice.id, lines={plan.id: 1, fee.id: 6199}, **SIGNED)
        assert_given_back_whole(invoice)
        assert status_of_the_period() == "VOIDED"

    def test_goes_on_at_a_price_that_a_deduction_paid(self, welcomed: Account) -> None:
        """Terms of a lower price take the last of the invoice; what they are later raised from counts as paid."""
        (invoice,) = invoices_of(welcomed)
        issue_credit_note(invoice_id=invoice.id, lines={invoice.lines.get(position=2).id: 6000}, **SIGNED)
        changed(welcomed, unit_amount_minor=1000)
        assert [note.amount_minor for note in CreditNote.objects.order_by("id")] == [6000, 200]
        assert_given_back_whole(invoice)
        changed(welcomed, on=JAN_21, unit_amount_minor=3100)
        assert sum(line[2] for line in lines_of(invoices_of(welcomed)[1])) == 1100 - 671
        assert discrepancies() == []


PARTS: dict[str, Any] = {
    "at once": [],
    "by amounts": [{"amount_minor": 1234}, {"amount_minor": 1}, {"amount_minor": 2500}],
    "by a line": [{"position": 1, "amount_minor": 4567}],
    "all but a unit": [{"amount_minor": -1}],
    "by a line, all but a unit": [{"position": 1, "amount_minor": -1}],
}
"""What is credited before the rest is; below zero, all but that."""


class TestTaxes:
    """The account was taxed at 10%, and is at 20%, when its plan is changed with the next invoice."""

    @pytest.fixture
    def of_two_rates(self) -> Account:
        """62.00 for February at 20%; -16.00 at 10% and 32.00 at 20% for a second unit since 16 January."""
        old, new = (create_tax_rate(name="VAT", percent=Decimal(percent), now=NOW) for percent in (10, 20))
        made = billed_account(tax_rate=old.id)
        update_account(account_id=made.id, changes={"tax_rate": new.id}, reason="moved", author="bo", now=at(JAN_16))
        changed(made, how={"proration": "next_invoice"}, quantity=2)
        return made

    @pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
    @pytest.mark.parametrize(("deducted", "total"), [(0, 9520), (3000, 5920)])
    def test_go_back_whole_a_rate_at_a_time(
        self, of_two_rates: Account, parts: list[dict[str, int]], deducted: int, total: int
    ) -> None:
        if deducted:
            added(of_two_rates, -deducted, description="For the outage")
        billed(as_of=FEB_1)
        invoice = invoices_of(of_two_rates)[1]
        assert invoice.total_minor == total
        for part in parts:
            credited_part(invoice, **part)
            assert discrepancies() == []
        issue_credit_note(invoice_id=invoice.id, **SIGNED)
        assert_given_back_whole(invoice)

    def test_go_back_whole_with_refunds(self, of_two_rates: Account) -> None:
        added(of_two_rates, -3000)
        billed(as_of=FEB_1)
        invoice = invoices_of(of_two_rates)[1]
        for amount in (1999, 5920 - 1999):
            refunded(invoice.payments.get(), amount)
            assert discrepancies() == []
        assert_given_back_whole(invoice)

    @pytest.mark.parametrize("gateway", [None, ScriptedGateway(Declined("card_declined"))], ids=["paid", "owed"])
    def test_go_back_whole_where_the_account_is_closed_with_a_full_refund(
        self, of_two_rates: Account, gateway: ScriptedGateway | None
    ) -> None:
        added(of_two_rates, -3000)
        billed(as_of=FEB_1, gateway=gateway)
        closing: dict[str, Any] = SIGNED | {"today": FEB_1, "now": at(FEB_1)}
        close_account(account_id=of_two_rates.id, refund="full", **closing)
        invoice = invoices_of(of_two_rates)[1]
        if gateway is None:
            assert sent(of_two_rates.refunds.get(), today=FEB_1) == []
        assert_given_back_whole(invoice)

    def test_go_back_whole_where_terms_and_rate_are_changed_back(self) -> None:
        """-16.00 at 10% and 32.00 at 20%, and on the same day the other way round: a credit note of all of it."""
        old, new = (create_tax_rate(name="VAT", percent=Decimal(percent), now=NOW) for percent in (10, 20))
        account = billed_account(tax_rate=old.id)
        for rate, quantity in ((new, 2), (old, 1)):
            of_rate: Any = {"tax_rate": rate.id}
            update_account(account_id=account.id, changes=of_rate, reason="moved", author="bo", now=at(JAN_16))
            changed(account, quantity=quantity)
            pay(account)
        first, second = invoices_of(account)
        note = CreditNote.objects.get()
        assert (note.invoice_id, note.amount_minor, taken_by(note)) == (second.id, 2080, [(1, -1760), (2, 3840)])
        assert_given_back_whole(second)
        assert (books_of(first), status_of_the_period()) == ({"revenue": -3100, "tax_payable": -310}, "CHARGED")

    @pytest.mark.parametrize("gateway", [None, ScriptedGateway(Declined("card_declined"))], ids=["paid", "owed"])
    def test_go_back_whole_where_a_change_of_terms_takes_the_last_of_it(
        self, of_two_rates: Account, gateway: ScriptedGateway | None
    ) -> None:
        """The lines of January's change go along with February's, and so does the deduction; February goes on."""
        added(of_two_rates, -3000)
        billed(as_of=FEB_1, gateway=gateway)
        changed(of_two_rates, on=FEB_1, unit_amount_minor=0)
        invoice = invoices_of(of_two_rates)[1]
        note = CreditNote.objects.get()
        assert (note.amount_minor, note.tax_minor) == (5920, 1120)
        assert taken_by(note) == [(1, 7440), (2, -1760), (3, 3840), (4, -3600)]
        assert_given_back_whole(invoice)
        assert invoice.status == ("PAID" if gateway is None else "VOID")
        assert list(Rebilling.objects.order_by("id").values_list("status", flat=True)) == ["CHARGED", "CHARGED"]

    def test_lower_the_tax_of_what_is_left_in_proportion(self, of_two_rates: Account) -> None:
        """Half of 95.20: half of -1.60 and of 18.80."""
        billed(as_of=FEB_1)
        invoice = invoices_of(of_two_rates)[1]
        note = issue_credit_note(invoice_id=invoice.id, amount_minor=4760, **SIGNED)
        assert taken_by(note) == [(1, 3720), (2, -880), (3, 1920)]
        assert [line.tax_minor for line in note.lines.order_by("line__position")] == [620, -80, 320]
        assert (note.tax_minor, books_of(invoice)) == (860, {"revenue": -3900, "tax_payable": -860})

    def test_are_named_with_their_rate_by_the_entries_as_when_they_were_billed(self, of_two_rates: Account) -> None:
        billed(as_of=FEB_1)
        invoice = invoices_of(of_two_rates)[1]
        note = issue_credit_note(invoice_id=invoice.id, **SIGNED)
        first, unused, second = (line.description for line in invoice.lines.order_by("position"))
        billed_for = [f"VAT 20%: {first}", f"VAT 10%: {unused}", f"VAT 20%: {second}"]
        entries = Entry.objects.filter(invoice_id=invoice.id).order_by("id")
        taxes = entries.filter(type__in=["tax", "tax_deduction"])
        assert [entry.description for entry in taxes] == billed_for
        given_back = entries.filter(type__in=["tax_credit", "tax_deduction_reversed"])
        assert [entry.description for entry in given_back] == [f"Credit note {note.number}: {of}" for of in billed_for]
        prices = entries.filter(type__in=["credit_note", "deduction_reversed"])
        assert [(entry.type, entry.amount_minor, entry.description) for entry in prices] == [
            ("credit_note", 6200, f"Credit note {note.number}: {first}"),
            ("deduction_reversed", 1600, f"Credit note {note.number}: {unused}"),
            ("credit_note", 3200, f"Credit note {note.number}: {second}"),
        ]

    def test_may_be_more_than_the_amount_that_is_left(self, of_two_rates: Account) -> None:
        """0.01 is left of 95.20: 17.61 of a line with 2.93 of tax, less the deduction of 17.60 with its 1.60."""
        billed(as_of=FEB_1)
        invoice = invoices_of(of_two_rates)[1]
        credited_part(invoice, position=1, amount_minor=7440)
        credited_part(invoice, position=3, amount_minor=2079)
        note = issue_credit_note(invoice_id=invoice.id, **SIGNED)
        assert (note.amount_minor, note.tax_minor, taken_by(note)) == (1, 133, [(2, -1760), (3, 1761)])
        assert_given_back_whole(invoice)


def credited_part(invoice: Invoice, *, amount_minor: int, position: int | None = None) -> None:
    """So much of it, or of its line at this position; below zero, all but that."""
    left = invoice.total_minor - sum(note.amount_minor for note in invoice.credit_notes.all())
    if position is None:
        amount = amount_minor if amount_minor > 0 else left + amount_minor
        issue_credit_note(invoice_id=invoice.id, amount_minor=amount, **SIGNED)
    else:
        line = invoice.lines.get(position=position)
        amount = amount_minor if amount_minor > 0 else min(left, line.total_minor) + amount_minor
        issue_credit_note(invoice_id=invoice.id, lines={line.id: amount}, **SIGNED)


def books_of(invoice: Invoice) -> dict[str, int]:
    """What the invoice's entries leave in the books of prices and taxes."""
    books = {"revenue": 0, "tax_payable": 0}
    for entry in Entry.objects.filter(invoice_id=invoice.id):
        for book, amount in ((entry.debit, entry.amount_minor), (entry.credit, -entry.amount_minor)):
            if book in books:
                books[book] += amount
    return books


def assert_given_back_whole(invoice: Invoice) -> None:
    """Of each line, so at each rate, exactly its price and its tax went back, and nothing is left in the books."""
    invoice.refresh_from_db()
    assert sum(note.amount_minor for note in invoice.credit_notes.all()) == invoice.total_minor
    for line in invoice.lines.all():
        back = line.credit_note_lines.aggregate(amount=Sum("amount_minor"), tax=Sum("tax_minor"))
        assert (back["amount"], back["tax"]) == (line.total_minor, line.tax_minor)
    assert books_of(invoice) == {"revenue": 0, "tax_payable": 0}
    assert discrepancies() == []


class TestTheDatabaseRefuses:
    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ({"kind": "period"}, "invoice_line_not_negative"),
            ({"discount_minor": 1}, "invoice_line_not_negative"),
            ({"tax_minor": 1}, "invoice_line_not_negative"),
            ({"credited_minor": 1}, "invoice_line_not_credited_past_it"),
            ({"credited_minor": -1601}, "invoice_line_not_credited_past_it"),
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
