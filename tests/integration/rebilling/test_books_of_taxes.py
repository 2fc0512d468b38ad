"""Taxes and discounts that are wrong: the database refuses them, or the check of the books reports them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
from django.db import models

from accounts.models import Account
from accounts.tax_rates import create_tax_rate
from invoices.credit_note_shares import LineCredit
from invoices.credit_notes import issue_credit_note
from invoices.models import InvoiceLine
from invoices.taxes import LineTax
from payments.gateways.port import Declined
from rebilling.books import discrepancies
from subscriptions.discounts import give_discount
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, ScriptedGateway, a_plan, an_account, billed
from tests.support.databases import rolled_back
from tests.support.forgeries import ANEW, attempt, copied
from tests.support.items import added
from tests.support.refunds import sent

SIGNED: dict[str, Any] = {"reason": "agreed", "author": "ann", "today": TODAY, "now": NOW}


def names() -> set[str]:
    return {found.name for found in discrepancies()}


def agreed() -> Account:
    """Of 100.00 a month, 20% less for one period, and 21% of tax added to it."""
    rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
    account = an_account(plan=a_plan(unit_amount_minor=10_000), tax_rate=rate.id)
    give_discount(account_id=account.id, percent=Decimal(20), periods=1, **SIGNED)
    return account


def of_the_named_alone(shares: Mapping[InvoiceLine, int], *_: object, **__: object) -> dict[InvoiceLine, LineCredit]:
    return {line: LineCredit(share, 0) for line, share in shares.items()}


@pytest.fixture
def account(db: None) -> Account:
    """Billed for 80.00 and 16.80 of tax, of which 48.40 is credited."""
    account = agreed()
    billed(as_of=TODAY)
    issue_credit_note(invoice_id=account.invoices.get().id, amount_minor=4840, **SIGNED)
    assert discrepancies() == []
    return account


@rolled_back
class TestTheCheckReports:
    @pytest.mark.parametrize("wrong", [LineTax(1679, 9679), LineTax(1681, 9681), LineTax(1680, 8000)])
    def test_a_tax_that_is_not_its_rates(self, wrong: LineTax) -> None:
        agreed()
        with mock.patch("invoices.issuance.taxed_lines", return_value=[wrong]):
            billed(as_of=TODAY)
        assert names() == {"tax_is_not_its_rates"}

    def test_a_tax_without_its_entry(self) -> None:
        agreed()
        with mock.patch("invoices.issuance._taxes", return_value=[]):
            billed(as_of=TODAY)
        assert names() == {"line_without_entry", "balance_is_not_the_books"}

    def test_a_second_tax_of_a_line(self, account: Account) -> None:
        tax = account.entries.get(type="tax")
        assert attempt(copied("ledger_entry", id=ANEW, idempotency_key="'again'"), id=tax.id) == ""
        assert names() == {"charge_that_is_no_lines", "balance_is_not_the_books"}

    def test_a_credit_note_with_another_share_of_the_tax(self) -> None:
        account = agreed()
        billed(as_of=TODAY)
        with mock.patch("invoices.credit_note_shares.tax_credited", return_value=839):
            issue_credit_note(invoice_id=account.invoices.get().id, amount_minor=4840, **SIGNED)
        assert names() == {"line_is_not_its_credit_notes"}

    def test_a_line_that_is_left_of_an_invoice_that_was_credited_whole(self) -> None:
        account = an_account()
        added(account, 500)
        added(account, -500)
        billed(as_of=TODAY)
        with mock.patch("invoices.credit_notes.line_credits", side_effect=of_the_named_alone):
            invoice = account.invoices.get()
            period, _, _ = invoice.lines.order_by("position")
            issue_credit_note(invoice_id=invoice.id, lines={period.id: invoice.total_minor}, **SIGNED)
        assert names() == {"line_left_of_a_credited_invoice"}

    def test_a_tax_of_a_credit_note_that_is_not_booked(self, account: Account) -> None:
        credited = account.entries.get(type="tax_credit")
        forged = copied("ledger_entry", id=ANEW, idempotency_key="'again'", amount_minor="1")
        assert attempt(forged, id=credited.id) == ""
        assert names() == {"invoice_is_not_its_credit_notes", "balance_is_not_the_books"}

    @pytest.mark.parametrize("wrong", [1999, 2001, 0])
    def test_a_discount_that_is_not_as_given(self, wrong: int) -> None:
        agreed()
        with mock.patch("rebilling.period_discounts.discount_of", return_value=wrong):
            billed(as_of=TODAY)
        assert names() == {"discount_not_as_given"}

    def test_a_discount_of_more_periods_than_it_is_for(self, account: Account) -> None:
        statement = copied(
            "rebilling_rebilling", id=ANEW, status="'DUE'", invoice_id="NULL", period_start="period_end",
            period_end="period_end + 28", ended_on="period_end + 28",
        )  # fmt: skip
        assert attempt(statement, id=account.rebillings.get().id) == ""
        assert names() == {"discount_of_too_many_periods"}

    def test_a_period_that_was_voided_with_its_money_kept_as_one_of_them(self) -> None:
        account = agreed()
        billed(as_of=TODAY)
        close_account(account_id=account.id, refund="full", **SIGNED)
        refused = ScriptedGateway(refunds=[Declined("expired_card")])
        assert sent(account.refunds.get(), gateway=refused) == []
        assert discrepancies() == []
        again = copied("rebilling_rebilling", id=ANEW, status="'DUE'", invoice_id="NULL", ended_on="period_end")
        assert attempt(again, id=account.rebillings.get().id) == ""
        assert names() == {"discount_of_too_many_periods"}

    def test_a_line_of_another_rate_than_its_period(self) -> None:
        agreed()
        another = create_tax_rate(name="Another", percent=Decimal(21), now=NOW)
        with mock.patch("rebilling.invoice_periods.NewLine", _of_rate(another.id)):
            billed(as_of=TODAY)
        assert names() == {"charged_period_without_line"}


def _of_rate(rate_id: Any) -> Any:
    from invoices.issuance import NewLine

    return lambda **given: NewLine(**(given | {"tax_rate_id": rate_id}))


@rolled_back
class TestTheDatabaseRefuses:
    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ({"total_minor": "amount_minor + tax_minor + 1"}, "invoice_line_total_has_its_tax"),
            ({"total_minor": "amount_minor + 1"}, "invoice_line_total_has_its_tax"),
            ({"tax_minor": "8001", "total_minor": "8000"}, "invoice_line_total_has_its_tax"),
            ({"tax_rate_id": "NULL"}, "invoice_line_taxed_at_a_rate"),
            ({"tax_minor": "-1", "total_minor": "7999"}, "invoice_line_not_negative"),
        ],
    )
    def test_a_line(self, account: Account, changes: dict[str, str], rule: str) -> None:
        self._refuses(account.invoices.get().lines.get(), {"position": "2"} | changes, rule)

    @pytest.mark.parametrize(
        ("amount", "tax"), [("1", "-1"), ("1", "2"), ("-1", "1"), ("-1", "-2")], ids=lambda text: text
    )
    def test_a_line_of_a_credit_note(self, account: Account, amount: str, tax: str) -> None:
        line = account.credit_notes.get().lines.get()
        self._refuses(line, {"amount_minor": amount, "tax_minor": tax}, "credit_note_line_has_its_tax")

    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ({"discount_minor": "2001"}, "rebilling_costs_what_its_units_do"),
            ({"discount_minor": "10001", "amount_minor": "-1"}, "rebilling_amounts_not_negative"),
            ({"discount_minor": "-1", "amount_minor": "10001"}, "rebilling_discounted_by_a_discount"),
            ({"discount_id": "NULL"}, "rebilling_discounted_by_a_discount"),
        ],
    )
    def test_a_period(self, account: Account, changes: dict[str, str], rule: str) -> None:
        changes = {"status": "'DUE'", "invoice_id": "NULL"} | changes
        self._refuses(account.rebillings.get(), changes, rule)

    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ({"percent": "-0.001"}, "tax_rate_bounded"),
            ({"percent": "100.001"}, "tax_rate_bounded"),
            ({"percent": "0"}, "tax_rate_of_zero_says_why"),
            ({"exemption_reason": "'Export'"}, "tax_rate_of_zero_says_why"),
            ({}, "tax_rate_once"),
        ],
    )
    def test_a_tax_rate(self, account: Account, changes: dict[str, str], rule: str) -> None:
        assert account.tax_rate is not None
        self._refuses(account.tax_rate, changes, rule)

    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ({"percent": "100.001"}, "discount_percent_or_amount"),
            ({"percent": "0"}, "discount_percent_or_amount"),
            ({"amount_minor": "1"}, "discount_percent_or_amount"),
            ({"percent": "NULL"}, "discount_percent_or_amount"),
            ({"percent": "NULL", "amount_minor": "0"}, "discount_percent_or_amount"),
            ({"periods": "0"}, "discount_periods_or_until"),
            ({"periods": "367"}, "discount_periods_or_until"),
            ({"until": "starts_on + 1"}, "discount_periods_or_until"),
            ({"periods": "NULL", "until": "starts_on"}, "discount_ends_after_its_start"),
        ],
    )
    def test_a_discount(self, account: Account, changes: dict[str, str], rule: str) -> None:
        self._refuses(account.discounts.get(), changes, rule)

    def test_a_discount_of_another_account(self, account: Account) -> None:
        other, given = an_account(), account.discounts.get()
        statement = "UPDATE accounts_account SET discount_id = %(discount)s WHERE id = %(id)s"
        assert attempt(statement, discount=given.id, id=other.id) == "account_discount_is_its_own"
        changes = {"period_start": "period_end", "period_end": "period_end + 28", "ended_on": "period_end + 28"}
        changes |= {"status": "'DUE'", "invoice_id": "NULL", "account_id": f"'{other.id}'"}
        self._refuses(account.rebillings.get(), changes, "rebilling_discount_is_its_accounts")

    def _refuses(self, row: models.Model, changes: dict[str, str], rule: str) -> None:
        """Another row like this one, but for these columns. Nothing moved."""
        everything = type(row)._default_manager.order_by("pk")
        before = list(everything.values())
        assert attempt(copied(row._meta.db_table, id=ANEW, **changes), id=row.pk) == rule
        assert list(everything.values()) == before
