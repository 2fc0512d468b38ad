"""Items that are wrong, by SQL as the application role: the database refuses them, or the check of the books reports
them.
"""

import pytest

from accounts.models import Account
from invoices.models import InvoiceLine, Item
from rebilling.books import discrepancies
from rebilling.models import Rebilling
from tests.builders import TODAY, QueueInHand, an_account, billed, swept
from tests.support.databases import rolled_back
from tests.support.forgeries import ANEW, attempt, copied, execute
from tests.support.items import added, removed
from tests.support.owing import FEB_1
from tests.support.terms import billed_account, changed


@pytest.fixture
def account(db: None) -> Account:
    """Billed for January with an item of 5.00, all of it, and 19.99 of a deduction of 50.00."""
    account = an_account()
    added(account, 500)
    added(account, -5000)
    billed(as_of=TODAY)
    assert discrepancies() == []
    return account


def item_of(account: Account, **which: int) -> Item:
    return Item.objects.get(account=account, **which)


def found() -> list[tuple[str, str]]:
    return [(each.name, each.detail) for each in discrepancies()]


@rolled_back
class TestTheCheckReports:
    def test_an_item_of_which_more_is_invoiced_than_its_lines_say(self, account: Account) -> None:
        execute("UPDATE invoices_item SET invoiced_minor = -5000 WHERE amount_minor = -5000")
        detail = "the item Setup: -50.00 USD of it is invoiced, and its lines say -24.99 USD"
        assert found() == [("item_is_not_its_lines", detail)]
        assert discrepancies(accounts=[an_account().id]) == []

    def test_a_line_more_of_an_item(self, account: Account) -> None:
        line = InvoiceLine.objects.get(amount_minor=500)
        assert attempt(copied("invoices_invoiceline", id=ANEW, position="9"), id=line.id) == ""
        assert {name for name, _ in found()} == {
            *("invoice_is_not_its_lines", "item_is_not_its_lines", "line_without_entry"),
        }

    def test_an_item_that_may_be_billed_again(self, account: Account) -> None:
        execute("UPDATE invoices_item SET invoiced_minor = 0 WHERE amount_minor = 500")
        detail = "the item Setup: 0.00 USD of it is invoiced, and its lines say 5.00 USD"
        assert found() == [("item_is_not_its_lines", detail)]

    def test_a_line_of_another_accounts_item(self, account: Account) -> None:
        other = added(an_account(), 500)
        line = InvoiceLine.objects.get(amount_minor=500)
        execute("UPDATE invoices_item SET invoiced_minor = 0 WHERE id = %(id)s", id=line.item_id)
        execute("UPDATE invoices_item SET invoiced_minor = 500 WHERE id = %(id)s", id=other.id)
        statement = copied("invoices_invoiceline", id=ANEW, position="9", item_id=f"'{other.id}'")
        assert attempt(statement, id=line.id) == ""
        assert ("line_of_no_item", f"line 9 of invoice {account.number_prefix}-0001 is for no item of the account, or "
                "is for a removed one") in found()  # fmt: skip

    def test_a_line_of_an_item_that_was_removed_before(self, account: Account) -> None:
        item = removed(item_of(account, amount_minor=-5000))
        assert discrepancies() == []
        execute("UPDATE invoices_item SET removed_at = removed_at - interval '1 day' WHERE id = %(id)s", id=item.id)
        assert [name for name, _ in found()] == ["line_of_no_item"]

    @pytest.mark.parametrize(
        ("forgery", "detail"),
        [
            ("UPDATE invoices_item SET rebilling_id = %(charged)s WHERE id = %(id)s", "2026-01-01, which is CHARGED"),
            ("UPDATE invoices_item SET rebilling_id = %(others)s WHERE id = %(id)s", "2026-02-01, which is DUE"),
        ],
    )
    def test_an_item_that_waits_for_no_period(self, account: Account, forgery: str, detail: str) -> None:
        other = an_account(rebilling_date=FEB_1)
        swept(as_of=FEB_1, queue=QueueInHand())
        item = item_of(account, amount_minor=-5000)
        charged = Rebilling.objects.get(account=account, status="CHARGED").id
        others = Rebilling.objects.get(account=other).id
        execute(forgery, id=item.id, charged=charged, others=others)
        expected = f"the item Setup is to be invoiced with the period from {detail}"
        assert found() == [("item_of_no_waiting_period", expected)]


@rolled_back
class TestChangesThatWait:
    @pytest.fixture
    def account(self, db: None) -> Account:
        account = billed_account()
        changed(account, how={"proration": "next_invoice"}, quantity=2)
        assert discrepancies() == []
        return account

    DETAIL = (
        "the change of terms on 2026-01-16: credit 16.00 USD, charge 32.00 USD, which the items that wait don't say"
    )

    def test_with_a_third_item(self, account: Account) -> None:
        assert attempt(copied("invoices_item", id=ANEW), id=item_of(account, amount_minor=3200).id) == ""
        assert found() == [("proration_is_not_its_items", self.DETAIL)]

    def test_with_an_item_of_another_account(self, account: Account) -> None:
        statement = copied("invoices_item", id=ANEW, account_id=f"'{an_account().id}'")
        assert attempt(statement, id=item_of(account, amount_minor=3200).id) == ""
        assert found() == [("proration_is_not_its_items", self.DETAIL)]

    @pytest.mark.parametrize("column", ["waits", "taken_along_minor", "charge_minor"])
    def test_are_never_changed(self, account: Account, column: str) -> None:
        assert attempt(f"UPDATE rebilling_proration SET {column} = {column}") == "no privilege"

    def test_whose_line_names_no_item(self, account: Account) -> None:
        billed(as_of=FEB_1)
        line = InvoiceLine.objects.get(amount_minor=3200)
        statement = copied("invoices_invoiceline", id=ANEW, position="9", item_id="NULL")
        assert attempt(statement, id=line.id) == ""
        assert "line_of_no_proration" in [name for name, _ in found()]


OF_A_CHANGE = {
    "proration_id": ANEW,
    "prorated_id": "(SELECT id FROM rebilling_rebilling LIMIT 1)",
    "period_start": "'2026-01-16'::date",
    "period_end": "'2026-02-01'::date",
}


@rolled_back
class TestTheDatabaseRefuses:
    @pytest.mark.parametrize(
        "column", ["account_id", "description", "quantity", "unit_amount_minor", "amount_minor", "reason", "created_at"]
    )
    def test_a_change_of_what_was_added(self, account: Account, column: str) -> None:
        assert attempt(f"UPDATE invoices_item SET {column} = {column}") == "no privilege"

    def test_an_item_that_is_deleted(self, account: Account) -> None:
        assert attempt("DELETE FROM invoices_item") == "no privilege"

    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ({"amount_minor": "501"}, "item_costs_what_its_units_do"),
            ({"quantity": "0", "amount_minor": "0"}, "item_invoiced_up_to_its_amount"),
            ({"unit_amount_minor": "0", "amount_minor": "0", "invoiced_minor": "0"}, "item_invoiced_up_to_its_amount"),
            ({"discount_minor": "1"}, "item_costs_what_its_units_do"),
            ({"proration_id": ANEW}, "item_of_a_change_names_its_period"),
            ({"prorated_id": ANEW}, "item_of_a_change_names_its_period"),
            ({"period_start": "'2026-01-01'::date"}, "item_of_a_change_names_its_period"),
            ({**OF_A_CHANGE, "period_end": "'2026-01-16'::date"}, "item_of_a_change_names_its_period"),
            ({**OF_A_CHANGE, "quantity": "0"}, "item_units_not_negative"),
            ({**OF_A_CHANGE, "discount_minor": "-1"}, "item_units_not_negative"),
            (OF_A_CHANGE, "item_names_a_proration"),
            ({"invoiced_minor": "499"}, "item_invoiced_up_to_its_amount"),
            ({"invoiced_minor": "-1"}, "item_invoiced_up_to_its_amount"),
            ({"removed_at": "now()"}, "item_removed_for_a_reason"),
            ({"removed_by": "'bo'"}, "item_removed_for_a_reason"),
            ({"rebilling_id": "(SELECT id FROM rebilling_rebilling LIMIT 1)"}, "item_pending_of_a_period"),
            ({"invoiced_minor": "0", "rebilling_id": ANEW}, "item_names_a_rebilling"),
        ],
    )
    def test_another_item(self, account: Account, changes: dict[str, str], rule: str) -> None:
        item = item_of(account, amount_minor=500)
        assert attempt(copied("invoices_item", id=ANEW, **changes), id=item.id) == rule
        assert discrepancies() == []

    @pytest.mark.parametrize("changes", [{"item_id": "NULL"}, {"kind": "'period'"}])
    def test_a_line_of_no_item_or_one_of_a_period_that_has_one(self, account: Account, changes: dict[str, str]) -> None:
        line = InvoiceLine.objects.get(amount_minor=500)
        with_dates = {"period_start": "'2026-01-01'::date", "period_end": "'2026-02-01'::date"}
        with_dates["rebilling_id"] = "(SELECT id FROM rebilling_rebilling LIMIT 1)"
        statement = copied("invoices_invoiceline", id=ANEW, position="9", **with_dates, **changes)
        assert attempt(statement, id=line.id) == "invoice_line_of_an_item_names_it"
