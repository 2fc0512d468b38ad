"""One-off items: added to the next invoice, billed now, removed, refused, and what becomes of them on closing."""

import uuid
from decimal import Decimal
from typing import Any

import pytest

from accounts.account_opening import NewAccount
from accounts.errors import OperationError
from accounts.locked_accounts import UnknownAccount
from accounts.models import Account
from accounts.reasons import InvalidReason
from accounts.tax_rates import create_tax_rate
from invoices.credits import grant_credit, reverse_entry
from invoices.models import Item
from ledger.models import Entry
from payments.gateways.port import Declined
from rebilling.books import discrepancies
from subscriptions import item_limits
from subscriptions.item_limits import TooManyItems
from subscriptions.item_removals import DeductionFixed, ItemNotPending, remove_item
from subscriptions.items import (
    ItemAdded,
    NewItem,
    NoNextInvoice,
    SignUpUnpaid,
    UnableToAddItem,
    UnknownItem,
    add_item,
)
from subscriptions.lifecycle import CollectNeedsNow, close_account, reopen_account
from subscriptions.pauses import pause_account, resume_account
from subscriptions.sign_up import sign_up
from tests.builders import NOW, TODAY, QueueInHand, ScriptedGateway, a_plan, an_account, billed, swept
from tests.support.databases import rolled_back
from tests.support.items import added, adding, amounts_of, fixed_items, items_of, removed
from tests.support.owing import FEB_1, invoices_of, owing, rows, state_of
from tests.support.payments import collected
from tests.support.unchanged import nothing_moves

SIGNED: dict[str, Any] = {"reason": "agreed", "author": "staff:bo", "today": TODAY, "now": NOW}

pytestmark = rolled_back


def closed(account: Account, **given: Any) -> Account:
    return close_account(account_id=account.id, **SIGNED | {"reason": "moving on"} | given).account


class TestAdd:
    def test_waits_for_the_next_invoice_and_is_in_the_history(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        found = adding(account, 500, quantity=3)
        assert (found.tax_minor, found.total_minor, found.invoice) == (0, 1500, None)
        change = account.changes.latest("id")
        assert (change.before, change.after) == ({"item": None}, {"item": "Setup: 15.00 USD"})
        assert (change.reason, change.author) == ("agreed", "staff:bo")
        assert amounts_of(account) == [[1999]]
        billed(as_of=FEB_1)
        assert amounts_of(account) == [[1999], [1999, 1500]]

    def test_comes_to_what_it_is_with_the_tax_of_the_account(self) -> None:
        rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
        found = adding(an_account(tax_rate=rate.id), -500)
        assert (found.tax_minor, found.total_minor) == (-105, -605)

    @pytest.mark.parametrize("status", ["PENDING", "PAST_DUE", "trial", "paused"])
    def test_is_for_any_account_that_has_a_next_invoice_and_for_any_now(self, status: str) -> None:
        plan = a_plan(trial_days=14 if status == "trial" else 0)
        account = owing(plan=plan) if status == "PAST_DUE" else an_account(plan=plan)
        if status == "paused":
            pause_account(account_id=account.id, at="now", until=None, **SIGNED)
        else:
            added(account, 500)
        added(account, 700, billing="now")
        assert amounts_of(account)[-1] == [700]

    def test_a_dry_run_moves_nothing(self) -> None:
        account = an_account()
        with nothing_moves():
            assert adding(account, 500, billing="now", dry_run=True).total_minor == 500


class TestBilledNow:
    def test_is_an_invoice_of_its_own_that_is_collected_at_once(self) -> None:
        rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
        account = an_account(tax_rate=rate.id)
        found = adding(account, 1000, billing="now", quantity=2)
        assert found.invoice is not None
        assert (found.tax_minor, found.total_minor) == (420, 2420)
        (invoice,) = invoices_of(account)
        line = invoice.lines.get()
        assert (invoice.id, invoice.status, invoice.total_minor) == (found.invoice.invoice.id, "OPEN", 2420)
        assert (line.kind, line.item_id, line.quantity, line.amount_minor) == ("item", found.item.id, 2, 2000)
        payment = account.payments.get()
        assert (payment.status, payment.amount_minor) == ("SUBMITTED", 2420)
        collected(payment.id)
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert items_of(account) == [(2000, 2000, "invoiced")]
        assert discrepancies() == []

    def test_is_paid_by_credit_first(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        grant_credit(account_id=account.id, amount_minor=5000, **SIGNED)
        added(account, 500, billing="now")
        assert rows(account) == [("PAID", 0, 1999), ("PAID", 500, 0)]
        assert state_of(account) == ("ACTIVE", 0, 4500)

    def test_of_an_inactive_account_is_billed_all_the_same(self) -> None:
        account = an_account()
        closed(account)
        added(account, 500, billing="now")
        assert state_of(account) == ("INACTIVE", 500, 0)
        assert discrepancies() == []

    def test_is_declined_at_once_where_the_method_is_unusable(self) -> None:
        account = owing(Declined(code="stolen_card", hard=True))
        added(account, 500, billing="now")
        assert invoices_of(account)[1].declined_on == TODAY
        assert state_of(account) == ("PAST_DUE", 2499, 0)


class TestRemove:
    def test_is_never_invoiced_and_is_in_the_history(self) -> None:
        account = an_account()
        item = removed(added(account, 500))
        assert (item.removed_by, item.removal_reason, item.removed_at) == ("staff:bo", "a mistake", NOW)
        change = account.changes.latest("id")
        assert (change.before, change.after) == ({"item": "Setup: 5.00 USD"}, {"item": None})
        billed(as_of=TODAY)
        assert amounts_of(account) == [[1999]]
        assert discrepancies() == []

    @pytest.mark.parametrize("before", ["removed", "invoiced", "now"])
    def test_is_refused_of_what_is_over(self, before: str) -> None:
        account = an_account()
        item = added(account, 500, billing="now" if before == "now" else "next_invoice")
        if before == "removed":
            removed(item)
        billed(as_of=TODAY)
        with nothing_moves(), pytest.raises(ItemNotPending):
            removed(item)

    def test_is_refused_of_an_unknown_or_anothers_item(self) -> None:
        item = added(an_account(), 500)
        other = an_account()
        for account_id, item_id, error in (
            (other.id, item.id, UnknownItem),
            (item.account_id, uuid.uuid4(), UnknownItem),
            (uuid.uuid4(), item.id, UnknownAccount),
        ):
            with nothing_moves(), pytest.raises(error):
                remove_item(account_id=account_id, item_id=item_id, **SIGNED)
        with nothing_moves(), pytest.raises(InvalidReason):
            remove_item(account_id=item.account_id, item_id=item.id, **SIGNED | {"reason": " "})

    def test_of_a_deduction_waits_while_a_period_is_due(self) -> None:
        account = an_account()
        item = added(account, -500)
        swept(as_of=TODAY, queue=QueueInHand())
        with nothing_moves(), pytest.raises(DeductionFixed):
            removed(item)


class TestRefused:
    @pytest.mark.parametrize(
        ("given", "fields"),
        [
            ({"quantity": 0}, ["quantity"]),
            ({"quantity": 2**31}, ["quantity"]),
            ({"unit_amount_minor": 0}, ["unit_amount_minor"]),
            ({"unit_amount_minor": 100_000_000}, ["unit_amount_minor"]),
            ({"unit_amount_minor": -100_000_000}, ["unit_amount_minor"]),
            ({"unit_amount_minor": 10_000_000, "quantity": 10}, ["unit_amount_minor"]),
            ({"description": " "}, ["description"]),
            ({"description": "x" * 501}, ["description"]),
            ({"description": "two\nlines"}, ["description"]),
            ({"description": "", "quantity": 0}, ["description", "quantity"]),
        ],
    )
    def test_is_what_makes_no_item(self, given: dict[str, Any], fields: list[str]) -> None:
        account = an_account()
        fields_of: dict[str, Any] = {"description": "Setup", "unit_amount_minor": 500}
        new = NewItem(**fields_of | given)
        with nothing_moves(), pytest.raises(UnableToAddItem) as caught:
            add_item(account_id=account.id, new=new, **SIGNED)
        assert list(caught.value.errors) == fields

    def test_says_what_it_may_come_to(self) -> None:
        account = an_account()
        with nothing_moves(), pytest.raises(UnableToAddItem) as caught:
            added(account, 0)
        limits = "must be from 0.01 USD to 999,999.99 USD (the setting MAX_MOVEMENT_MINOR)."
        assert caught.value.errors["unit_amount_minor"] == f"What it comes to, above or below zero, {limits}"

    @pytest.mark.parametrize(("billing", "amount"), [("now", -500), ("tomorrow", 500)])
    def test_is_a_deduction_now_or_another_time(self, billing: str, amount: int) -> None:
        account = an_account()
        with nothing_moves(), pytest.raises(UnableToAddItem) as caught:
            added(account, amount, billing=billing)
        assert list(caught.value.errors) == ["billing"]

    def test_is_what_waits_for_the_next_invoice_of_an_account_that_has_none(self) -> None:
        account = an_account()
        closed(account)
        with nothing_moves(), pytest.raises(NoNextInvoice):
            added(account, 500)

    def test_is_what_is_billed_before_a_sign_up_that_must_be_paid(self) -> None:
        new = NewAccount(name="Ada", email="ada@example.com", plan=a_plan().code, on_decline="close")
        account = sign_up(new=new, author="test", today=TODAY, now=NOW).account
        with nothing_moves(), pytest.raises(SignUpUnpaid):
            added(account, 500, billing="now")
        assert added(account, 500).status == "pending"

    def test_is_an_unknown_account_and_a_reason_that_says_nothing(self) -> None:
        new = NewItem(description="Setup", unit_amount_minor=500)
        account = an_account()
        cases: list[tuple[uuid.UUID, str, type[OperationError]]] = [
            (uuid.uuid4(), "agreed", UnknownAccount),
            (account.id, " ", InvalidReason),
        ]
        for account_id, reason, error in cases:
            with nothing_moves(), pytest.raises(error):
                add_item(account_id=account_id, new=new, **SIGNED | {"reason": reason})

    def test_is_the_same_again(self) -> None:
        account, item_id = an_account(), uuid.uuid4()
        added(account, 500, item_id=item_id)
        with nothing_moves(), pytest.raises(ItemAdded):
            added(account, 700, item_id=item_id)

    def test_is_more_than_an_invoice_can_have(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(item_limits, "MAX_PENDING_ITEMS", 2)
        account = an_account()
        removed(added(account, 500))
        added(account, 500)
        added(account, -500)
        with nothing_moves(), pytest.raises(TooManyItems):
            added(account, 500)
        added(account, 500, billing="now")


class TestClosing:
    def test_bills_what_waits_on_a_last_invoice_with_the_debt(self) -> None:
        account = an_account()
        credit = grant_credit(account_id=account.id, amount_minor=1999, **SIGNED)
        billed(as_of=TODAY)
        reverse_entry(entry_id=credit.id, **SIGNED)
        added(account, 500)
        added(account, -200)
        closed(account)
        assert amounts_of(account) == [[1999], [500, -200]]
        assert rows(account) == [("PAID", 1999, 0), ("OPEN", -1999, 0)]
        assert account.payments.get().amount_minor == 2299
        assert items_of(account) == [(500, 500, "invoiced"), (-200, -200, "invoiced")]
        assert discrepancies() == []

    def test_writes_off_what_is_too_small_to_collect(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        added(account, 30)
        closed(account)
        assert rows(account) == [("PAID", 0, 1999), ("PAID", 30, 0)]
        assert state_of(account) == ("INACTIVE", 0, 0)
        assert Entry.objects.get(type="write_off").amount_minor == 30
        assert discrepancies() == []

    def test_removes_what_a_deduction_has_left(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        added(account, 500)
        added(account, -700)
        added(account, -300)
        closed(account)
        assert amounts_of(account) == [[1999], [500, -500]]
        assert items_of(account) == [(500, 500, "invoiced"), (-700, -500, "removed"), (-300, 0, "removed")]
        assert {item.removal_reason for item in Item.objects.filter(amount_minor__lt=0)} == {"the account was closed"}
        changes = [change.before for change in account.changes.order_by("id")]
        assert changes[-1] == {"item": "Setup: -2.00 USD; Setup: -3.00 USD"}
        assert (state_of(account), discrepancies()) == (("INACTIVE", 0, 0), [])

    def test_of_a_deduction_alone_makes_no_invoice(self) -> None:
        account = an_account()
        added(account, -700)
        closed(account)
        assert (invoices_of(account), items_of(account)) == ([], [(-700, 0, "removed")])

    def test_takes_them_from_a_period_that_was_due(self) -> None:
        account = an_account()
        added(account, 500)
        swept(as_of=TODAY, queue=QueueInHand())
        closed(account)
        assert (amounts_of(account), fixed_items(account)) == ([[500]], 0)
        assert discrepancies() == []

    def test_on_a_later_day_bills_them_then(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        closed(account, at="period_end")
        added(account, 500)
        billed(as_of=FEB_1)
        assert (amounts_of(account), state_of(account)) == ([[1999], [500]], ("INACTIVE", 500, 0))
        collected(account.payments.latest("id").id, day=FEB_1)
        assert (state_of(account), discrepancies()) == (("INACTIVE", 0, 0), [])

    def test_without_collecting_drops_them_and_writes_the_debt_off(self) -> None:
        account = an_account()
        credit = grant_credit(account_id=account.id, amount_minor=1999, **SIGNED)
        billed(as_of=TODAY)
        reverse_entry(entry_id=credit.id, **SIGNED)
        added(account, 500)
        closed(account, collect=False)
        assert (amounts_of(account), items_of(account)) == ([[1999]], [(500, 0, "removed")])
        assert (state_of(account), discrepancies()) == (("INACTIVE", 0, 0), [])
        assert Entry.objects.get(type="write_off").amount_minor == 1999
        reopen_account(account_id=account.id, **SIGNED)
        billed(as_of=FEB_1)
        assert amounts_of(account) == [[1999], [1999]]

    def test_without_collecting_is_done_now_alone(self) -> None:
        account = an_account()
        added(account, 500)
        with nothing_moves(), pytest.raises(CollectNeedsNow):
            closed(account, at="period_end", collect=False)

    def test_by_a_sign_up_that_is_not_paid_drops_them(self) -> None:
        account = an_account(on_decline="close", payment_method="pm_card")
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        added(account, 500)
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="card_declined")))
        assert state_of(account) == ("INACTIVE", 0, 0)
        assert items_of(account) == [(500, 0, "removed")]
        assert "not paid" in Item.objects.get().removal_reason
        assert discrepancies() == []


class TestAPausedOrUnpaidAccount:
    def test_is_billed_what_waits_once_it_is_billed_again(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        added(account, 500)
        pause_account(account_id=account.id, at="now", until=FEB_1, **SIGNED)
        billed(as_of=FEB_1)
        assert amounts_of(account) == [[1999], [1999, 500]]

    def test_goes_on_with_a_period_that_a_deduction_paid(self) -> None:
        account = an_account()
        added(account, -5000)
        billed(as_of=TODAY)
        pause_account(account_id=account.id, at="now", until=None, **SIGNED)
        resume_account(account_id=account.id, on=None, **SIGNED)
        account.refresh_from_db()
        assert (account.rebilling_date, amounts_of(account)) == (FEB_1, [[1999, -1999]])
