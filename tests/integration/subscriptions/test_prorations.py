"""Changes within a period that is taxed or has a discount."""

import datetime
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account
from accounts.tax_rates import create_tax_rate
from invoices.credit_notes import issue_credit_note
from invoices.models import CreditNote, Invoice
from ledger.models import Entry
from payments.account_updates import update_account
from rebilling.books import discrepancies
from rebilling.models import Proration
from subscriptions.discounts import give_discount
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, a_plan, an_account, at, billed
from tests.support.databases import rolled_back
from tests.support.items import added
from tests.support.owing import FEB_1, invoices_of, state_of
from tests.support.terms import JAN_16, JAN_21, billed_account, changed, pay

SIGNED: dict[str, Any] = {"reason": "r", "author": "bo", "now": NOW}

pytestmark = rolled_back


def rate(percent: str, *, inclusive: bool = False, name: str = "VAT") -> Any:
    reason = "Export" if Decimal(percent) == 0 else ""
    made = create_tax_rate(name=name, percent=Decimal(percent), inclusive=inclusive, exemption_reason=reason, now=NOW)
    return made.id


def taxed_from_now_on(account: Account, rate_id: Any) -> None:
    update_account(account_id=account.id, changes={"tax_rate": rate_id}, **SIGNED)


def amounts_of(invoice: Invoice) -> list[tuple[int, int, int]]:
    """Of its lines: amount, tax, total."""
    return list(invoice.lines.order_by("position").values_list("amount_minor", "tax_minor", "total_minor"))


def notes_of(account: Account) -> list[tuple[int, int]]:
    """Of its credit notes: amount, and the tax in it."""
    return list(CreditNote.objects.filter(account=account).order_by("id").values_list("amount_minor", "tax_minor"))


def entries_of(invoice: Invoice) -> list[tuple[str, str, str, int]]:
    found = Entry.objects.filter(invoice_id=invoice.id).order_by("id")
    return list(found.values_list("type", "debit", "credit", "amount_minor"))


def books_agree() -> bool:
    return discrepancies() == []


class TestAddedTax:
    def test_of_more_is_on_both_lines(self) -> None:
        account = billed_account(tax_rate=rate("21"))
        changed(account, quantity=2)
        _, invoice = invoices_of(account)
        assert amounts_of(invoice) == [(-1600, -336, -1936), (3200, 672, 3872)]
        assert (invoice.total_minor, invoice.tax_minor) == (1936, 336)
        assert entries_of(invoice) == [
            ("deduction", "revenue", "receivable", 1600),
            ("charge", "receivable", "revenue", 3200),
            ("tax_deduction", "tax_payable", "receivable", 336),
            ("tax", "receivable", "tax_payable", 672),
        ]
        row = Proration.objects.get()
        assert (row.credit_total_minor, row.charge_total_minor) == (1936, 3872)
        pay(account)
        assert (state_of(account), books_agree()) == (("ACTIVE", 0, 0), True)

    def test_of_less_is_in_the_credit_note(self) -> None:
        account = billed_account(quantity=2, tax_rate=rate("21"))
        changed(account, quantity=1)
        assert notes_of(account) == [(1936, 336)]
        assert (state_of(account), books_agree()) == (("ACTIVE", 0, 1936), True)

    def test_of_a_change_back_on_the_same_day_leaves_nothing(self) -> None:
        account = billed_account(tax_rate=rate("8.875"))
        changed(account, quantity=2)
        pay(account)
        changed(account, quantity=1)
        _, invoice = invoices_of(account)
        assert notes_of(account) == [(invoice.total_minor, invoice.tax_minor)]
        assert (state_of(account), books_agree()) == (("ACTIVE", 0, 1742), True)

    def test_that_was_rounded_one_by_one_is_given_back_as_far_as_it_is_left(self) -> None:
        """Of 10.01 and of the 10.02 more of the same day 2.10 each; of 20.03 it would be 4.21."""
        account = billed_account(1001, tax_rate=rate("21"))
        changed(account, on=TODAY, unit_amount_minor=2003)
        pay(account, on=TODAY)
        change = changed(account, on=TODAY, unit_amount_minor=0)
        assert sum(amount for amount, _ in notes_of(account)) == 2423
        assert change.billed is not None
        assert [(line.line.amount_minor, line.tax_minor, line.total_minor) for line in change.billed.lines] == [
            (-2003, -420, -2423)
        ]
        assert (state_of(account)[1:], books_agree()) == ((0, 2423), True)

    def test_never_gives_back_more_than_is_left(self) -> None:
        account = billed_account(tax_rate=rate("21"))
        signed: dict[str, Any] = {"reason": "outage", "author": "bo", "today": TODAY, "now": NOW}
        issue_credit_note(invoice_id=invoices_of(account)[0].id, amount_minor=3751 - 1000, **signed)
        changed(account, unit_amount_minor=0)
        # Of 10.00: 8.26 and its tax of 1.73 are 9.99, and of 8.27 they would be 10.01. The tax in all credit notes of
        # the line, 37.50 by then, is 6.51.
        assert notes_of(account) == [(2751, 477), (999, 174)]
        assert (Proration.objects.get().credit_minor, books_agree()) == (826, True)


class TestIncludedTax:
    def test_is_within_the_amounts(self) -> None:
        account = billed_account(tax_rate=rate("19", inclusive=True))
        changed(account, quantity=2)
        _, invoice = invoices_of(account)
        # 19/119 of 16.00 are 2.55, of 32.00 5.11; together 2.55 of 16.00.
        assert amounts_of(invoice) == [(-1600, -256, -1600), (3200, 511, 3200)]
        assert (invoice.total_minor, invoice.tax_minor, books_agree()) == (1600, 255, True)


class TestChangedRate:
    def test_is_of_the_days_left_and_unused_days_have_the_one_of_then(self) -> None:
        account = billed_account(tax_rate=rate("21"))
        taxed_from_now_on(account, rate("10", name="Reduced"))
        changed(account, quantity=2)
        _, invoice = invoices_of(account)
        assert amounts_of(invoice) == [(-1600, -336, -1936), (3200, 320, 3520)]
        assert (invoice.total_minor, invoice.tax_minor, books_agree()) == (1584, -16, True)
        # The next change gives back what was billed with the new rate.
        changed(account_paid(account), on=JAN_21, quantity=3)
        assert amounts_of(invoices_of(account)[-1]) == [(-2200, -220, -2420), (3300, 330, 3630)]
        assert books_agree()

    def test_that_adds_a_tax_may_come_to_more_tax_than_the_total(self) -> None:
        account = billed_account()
        taxed_from_now_on(account, rate("21"))
        changed(account, unit_amount_minor=2900)
        _, invoice = invoices_of(account)
        assert amounts_of(invoice) == [(-1600, 0, -1600), (1497, 314, 1811)]
        assert (invoice.total_minor, invoice.tax_minor, books_agree()) == (211, 314, True)

    def test_at_the_same_total_is_an_invoice_over_nothing(self) -> None:
        account = billed_account(tax_rate=rate("19", inclusive=True))
        taxed_from_now_on(account, rate("7", inclusive=True, name="Reduced"))
        other = a_plan(unit_amount_minor=3100)
        changed(account, plan=other.code)
        _, invoice = invoices_of(account)
        assert (invoice.status, invoice.total_minor, invoice.tax_minor) == ("PAID", 0, 105 - 255)
        assert (notes_of(account), books_agree()) == ([], True)

    def test_gives_back_nothing_that_a_deduction_paid_for(self) -> None:
        account = self.account_with_a_deduction()
        update_account(account_id=account.id, changes={"tax_rate": None}, reason="exempt", author="bo", now=at(JAN_16))
        change = changed(account, unit_amount_minor=3200)
        assert change.billed is not None
        assert (change.billed.proration.net_minor, change.billed.invoice_id, change.billed.credit_notes) == (
            0,
            None,
            [],
        )
        assert [invoice.total_minor for invoice in invoices_of(account)] == [0]
        assert discrepancies(accounts=[account.id]) == []

    def account_with_a_deduction(self) -> Account:
        rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
        account = an_account(plan=a_plan(unit_amount_minor=3100), tax_rate=rate.id)
        added(account, -10_000)
        billed(as_of=TODAY)
        return account

    def test_of_less_in_all_is_a_credit_note(self) -> None:
        account = billed_account(tax_rate=rate("21"))
        taxed_from_now_on(account, rate("0", name="Abroad"))
        changed(account, unit_amount_minor=3200)
        # 19.36 less 16.52: the tax in it is that of the line that was billed.
        assert notes_of(account) == [(284, 49)]
        assert (len(invoices_of(account)), books_agree()) == (1, True)


def account_paid(account: Account) -> Account:
    pay(account)
    return account


class TestDiscount:
    def given(self, unit_amount_minor: int = 3100, *, tax_rate: Any = None, **discount: Any) -> Account:
        account = an_account(plan=a_plan(unit_amount_minor=unit_amount_minor), tax_rate=tax_rate)
        give_discount(account_id=account.id, today=TODAY, **discount, **SIGNED)
        billed(as_of=TODAY)
        return account

    def test_in_percent_is_of_the_new_price_too(self) -> None:
        account = self.given(percent=Decimal(10))
        changed(account, quantity=2)
        _, invoice = invoices_of(account)
        assert amounts_of(invoice) == [(-1440, 0, -1440), (2880, 0, 2880)]
        assert list(invoice.lines.order_by("position").values_list("discount_minor", flat=True)) == [0, 320]
        unused = invoice.lines.get(position=1).description
        assert unused == f"Unused days of {account.terms.get(quantity=1).plan.name} (10% off), 16 Jan to 31 Jan 2026"
        assert books_agree()

    def test_of_an_amount_is_taken_off_the_new_price_once(self) -> None:
        account = self.given(amount_minor=310)
        changed(account, quantity=2)
        _, invoice = invoices_of(account)
        # Of 27.90 and of 58.90 a month, 16 of 31 days.
        assert amounts_of(invoice) == [(-1440, 0, -1440), (3040, 0, 3040)]
        assert list(invoice.lines.order_by("position").values_list("discount_minor", flat=True)) == [0, 160]
        assert " (3.10 USD off), " in invoice.lines.get(position=1).description
        assert books_agree()

    def test_of_an_amount_never_goes_below_a_price_of_nothing(self) -> None:
        account = self.given(amount_minor=310)
        changed(account, unit_amount_minor=200)
        assert Proration.objects.get().price_after_minor == 0
        assert (notes_of(account), books_agree()) == ([(1440, 0)], True)

    def test_comes_before_the_tax(self) -> None:
        account = self.given(percent=Decimal(10), tax_rate=rate("21"))
        changed(account, quantity=2)
        # 21% of 14.40 are 3.024, shared: of 28.80 they are 6.048, and the larger remainder gets the cent.
        assert amounts_of(invoices_of(account)[-1]) == [(-1440, -303, -1743), (2880, 605, 3485)]
        assert books_agree()

    def test_that_the_period_does_not_have_is_not_taken_off(self) -> None:
        account = billed_account()
        give_discount(account_id=account.id, percent=Decimal(10), today=JAN_16, reason="r", author="bo", now=at(JAN_16))
        changed(account, quantity=2)
        assert amounts_of(invoices_of(account)[-1]) == [(-1600, 0, -1600), (3200, 0, 3200)]
        billed(as_of=FEB_1)
        assert invoices_of(account)[-1].total_minor == 5580


class TestClosingWithARefund:
    @pytest.mark.parametrize(("refund", "expected"), [("prorated", 2662), ("full", 3751 + 1936)])
    def test_gives_the_tax_back_too(self, refund: str, expected: int) -> None:
        account = billed_account(tax_rate=rate("21"))
        changed(account, quantity=2)
        pay(account)
        signed: dict[str, Any] = {"reason": "gone", "author": "bo", "today": JAN_21, "now": at(JAN_21)}
        close_account(account_id=account.id, refund=refund, **signed)
        # 11 days of 2.00, with 21%.
        assert sum(account.refunds.values_list("amount_minor", flat=True)) == expected
        assert books_agree()


def test_another_interval_gives_the_rest_back_with_its_tax() -> None:
    account = billed_account(tax_rate=rate("21"))
    yearly = a_plan(interval_unit="year", unit_amount_minor=30_000)
    changed(account, plan=yearly.code)
    assert notes_of(account) == [(1936, 336)]
    billed(as_of=JAN_16)
    newest = invoices_of(account)[-1]
    assert (newest.lines.get().period_end, newest.total_minor) == (datetime.date(2027, 1, 16), 36_300)
    assert books_agree()
