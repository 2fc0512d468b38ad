"""What imported customers owed, or had as credit, and what becomes of it."""

import datetime
from collections import Counter

import pytest

from accounts.models import Account
from invoices.models import Invoice
from ledger.balances import balance
from ledger.models import Entry
from payments.models import Payment
from rebilling.books import discrepancies
from subscriptions.imports.opening_balances import OpeningBalances
from subscriptions.invoice_story import explain_invoice
from tests.builders import a_plan, billed
from tests.integration.subscriptions.imports.files import REQUIRED, file_of, row, take
from tests.support.databases import rolled_back

pytestmark = rolled_back

HEADER = REQUIRED + ",opening_balance_minor,status"
FIRST_DAY = datetime.date(2026, 11, 30)


@pytest.fixture(autouse=True)
def _plan(db: None) -> None:
    a_plan(code="basic", unit_amount_minor=1999)


def account_with(opening_balance_minor: int, *, status: str = "ACTIVE") -> Account:
    take(file_of(row() + f",{opening_balance_minor},{status}", header=HEADER))
    return Account.objects.get()


class TestOpeningBalances:
    def test_a_debt_is_an_entry_and_is_brought_forward_to_the_next_invoice(self) -> None:
        account = account_with(500)

        assert balance(account_id=account.id) == 500
        assert account.changes.get().after["credit_balance_minor"] == -500
        entry = Entry.objects.values_list("type", "debit", "credit", "amount_minor", "effective_on", "description")
        assert entry.get() == (
            "opening_balance",
            "receivable",
            "opening",
            500,
            datetime.date(2026, 11, 22),
            "Owed from before the import",
        )
        billed(as_of=FIRST_DAY)
        invoice = Invoice.objects.get()
        assert (invoice.total_minor, invoice.status) == (1999, "PAID")
        assert Payment.objects.values_list("amount_minor", "status").get() == (2499, "SUCCEEDED")
        assert (
            explain_invoice(invoice.id, today=FIRST_DAY)[1]
            == "5.00 USD that was owed from before was brought forward to it."
        )
        assert balance(account_id=account.id) == 0
        assert discrepancies() == []

    def test_credit_pays_the_next_invoices(self) -> None:
        account = account_with(-2500)

        assert balance(account_id=account.id) == -2500
        assert Entry.objects.values_list("debit", "credit", "amount_minor", "description").get() == (
            "opening",
            "receivable",
            2500,
            "Credit from before the import",
        )
        billed(as_of=FIRST_DAY)
        assert Invoice.objects.get().status == "PAID"
        assert not Payment.objects.exists()
        billed(as_of=datetime.date(2026, 12, 31))
        assert Payment.objects.values_list("amount_minor", flat=True).get() == 2 * 1999 - 2500
        assert discrepancies() == []

    def test_none_writes_no_entry(self) -> None:
        assert balance(account_id=account_with(0).id) == 0
        assert not Entry.objects.exists()

    def test_customers_who_left_may_still_owe(self) -> None:
        account = account_with(500, status="INACTIVE")

        assert balance(account_id=account.id) == 500
        billed(as_of=FIRST_DAY)
        assert not Invoice.objects.exists()
        assert discrepancies() == []

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_are_summed_up_by_currency(self, dry_run: bool) -> None:
        a_plan(code="yen", currency="JPY", unit_amount_minor=300)
        rows = [
            row("A1") + ",500,",
            row("A2") + ",700,INACTIVE",
            row("A3").replace("basic", "yen") + ",90,",
            row("A4") + ",-20,",
            row("A5") + ",,",
        ]

        assert take(file_of(*rows, header=HEADER), dry_run=dry_run).opening_balances == OpeningBalances(
            owing_accounts=3,
            owed_minor=Counter(USD=1200, JPY=90),
            accounts_in_credit=1,
            credit_minor=Counter(USD=20),
        )
        assert Entry.objects.count() == (0 if dry_run else 4)
