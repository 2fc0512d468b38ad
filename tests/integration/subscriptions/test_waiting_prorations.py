"""Changes of terms whose credit and charge wait for the next invoice, and what comes in between."""

import datetime
from decimal import Decimal
from typing import Any

import pytest

from accounts.locked_accounts import lock_account
from accounts.models import Account
from accounts.tax_rates import create_tax_rate
from invoices.credit_notes import issue_credit_note
from invoices.models import CreditNote, InvoiceLine
from payments.account_updates import update_account
from rebilling.billed_periods import running_period
from rebilling.books import discrepancies
from rebilling.models import Proration
from subscriptions import item_limits
from subscriptions.item_limits import TooManyItems
from subscriptions.item_removals import ItemOfAChange
from subscriptions.lifecycle import close_account
from subscriptions.pauses import pause_account, resume_account
from subscriptions.terms_changes import TermsChange
from tests.builders import NOW, TODAY, a_plan, an_account, at, billed
from tests.support.databases import rolled_back
from tests.support.items import added, amounts_of, fixed_items, items_of, removed
from tests.support.owing import FEB_1, MAR_1, invoices_of, rows, state_of
from tests.support.refunds import sent
from tests.support.terms import JAN_16, JAN_21, billed_account, changed, pay
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

WAITS: dict[str, Any] = {"proration": "next_invoice"}


def waiting(account: Account, *, on: datetime.date = JAN_16, **to: Any) -> TermsChange:
    """A change of terms that the next invoice bills."""
    return changed(account, on=on, how=WAITS, **to)


def closed(account: Account, *, on: datetime.date = JAN_21, **given: Any) -> None:
    close_account(account_id=account.id, reason="unhappy", author="test", today=on, now=at(on), **given)


def notes_of(account: Account) -> list[int]:
    return list(CreditNote.objects.filter(account=account).order_by("id").values_list("amount_minor", flat=True))


class TestAnUpgrade:
    def test_issues_nothing_and_is_two_lines_of_the_next_invoice(self) -> None:
        account = billed_account()
        change = waiting(account, quantity=2)
        assert change.billed is not None
        assert (change.billed.proration.net_minor, change.billed.invoice_id) == (1600, None)
        assert items_of(account) == [(-1600, 0, "pending"), (3200, 0, "pending")]
        assert (len(invoices_of(account)), notes_of(account)) == (1, [])
        assert discrepancies() == []
        billed(as_of=FEB_1)
        assert amounts_of(account) == [[3100], [6200, -1600, 3200]]
        lines = InvoiceLine.objects.filter(kind="proration").order_by("position")
        assert [(line.description, line.period_start, line.rebilling_id) for line in lines] == [
            (f"Unused days of {change.before.plan_name}, 16 Jan to 31 Jan 2026", JAN_16, lines[0].rebilling_id),
            (f"{change.before.plan_name} x 2, 16 Jan to 31 Jan 2026", JAN_16, lines[0].rebilling_id),
        ]
        assert lines[0].rebilling_id == Proration.objects.get().rebilling_id
        assert items_of(account) == [(-1600, -1600, "invoiced"), (3200, 3200, "invoiced")]
        assert (state_of(account), discrepancies()) == (("ACTIVE", 0, 0), [])

    def test_has_the_taxes_of_the_day_of_the_change(self) -> None:
        old, new = (create_tax_rate(name="VAT", percent=Decimal(percent), now=NOW) for percent in (10, 20))
        account = billed_account(tax_rate=old.id)
        waiting(account, quantity=2)
        update_account(account_id=account.id, changes={"tax_rate": new.id}, reason="moved", author="bo", now=at(JAN_21))
        billed(as_of=FEB_1)
        lines = InvoiceLine.objects.filter(invoice=invoices_of(account)[1]).order_by("position")
        assert [(line.amount_minor, line.tax_minor) for line in lines] == [(6200, 1240), (-1600, -160), (3200, 320)]
        assert discrepancies() == []

    def test_weighs_with_the_period_that_bills_it(self) -> None:
        account = billed_account()
        waiting(account, quantity=2)
        run = billed(as_of=FEB_1)
        assert run.rebillings.get().items_minor == 1600

    def test_is_in_no_preview_that_is_rolled_back(self) -> None:
        account = billed_account()
        with nothing_moves():
            change = changed(account, how=WAITS | {"dry_run": True}, quantity=2)
        assert change.billed is not None
        assert [line.amount_minor for line, *_ in change.billed.lines] == [-1600, 3200]

    def test_is_taken_back_by_a_change_and_not_by_removing_it(self) -> None:
        account = billed_account()
        waiting(account, quantity=2)
        for item in account.items.all():
            with nothing_moves(), pytest.raises(ItemOfAChange):
                removed(item, on=JAN_21)

    def test_is_refused_where_its_two_items_are_too_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        account = billed_account()
        added(account, 500)
        monkeypatch.setattr(item_limits, "MAX_PENDING_ITEMS", 2)
        with nothing_moves(), pytest.raises(TooManyItems, match="and 2 would be added"):
            waiting(account, quantity=2)
        monkeypatch.setattr(item_limits, "MAX_PENDING_ITEMS", 3)
        waiting(account, quantity=2)
        assert items_of(account) == [(500, 0, "pending"), (-1600, 0, "pending"), (3200, 0, "pending")]


class TestADowngrade:
    def test_adds_no_item_so_none_is_too_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(item_limits, "MAX_PENDING_ITEMS", 1)
        account = billed_account(quantity=2)
        added(account, 500)
        waiting(account, quantity=1)
        assert (items_of(account), notes_of(account)) == ([(500, 0, "pending")], [1600])

    def test_is_credit_notes_at_once(self) -> None:
        account = billed_account(quantity=2)
        change = waiting(account, quantity=1)
        assert change.billed is not None
        assert (change.billed.proration.waits, items_of(account), notes_of(account)) == (False, [], [1600])
        billed(as_of=FEB_1)
        assert amounts_of(account) == [[6200], [3100]]
        assert account.payments.latest("id").amount_minor == 1500
        assert (state_of(account), discrepancies()) == (("ACTIVE", 0, 0), [])

    def test_of_less_than_what_waits_waits_with_it(self) -> None:
        account = billed_account()
        waiting(account, quantity=3)
        waiting(account, quantity=2)
        assert [amount for amount, *_ in items_of(account)] == [-1600, 4800, -4800, 3200]
        billed(as_of=FEB_1)
        assert (amounts_of(account)[1], notes_of(account)) == ([6200, -1600, 4800, -4800, 3200], [])
        assert discrepancies() == []

    def test_of_more_than_what_waits_is_credit_notes_for_the_net(self) -> None:
        account = billed_account()
        waiting(account, quantity=2)
        waiting(account, quantity=1, unit_amount_minor=0)
        assert (notes_of(account), [status for *_, status in items_of(account)]) == ([1600], ["removed", "removed"])
        assert discrepancies() == []


class TestAPeriodThatIsGivenBack:
    def test_takes_what_waits_of_its_changes_along(self) -> None:
        account = billed_account()
        waiting(account, quantity=2)
        (invoice,) = invoices_of(account)
        issue_credit_note(invoice_id=invoice.id, reason="a mistake", author="bo", today=JAN_21, now=at(JAN_21))
        assert [status for *_, status in items_of(account)] == ["removed", "removed"]
        assert set(account.items.values_list("removal_reason", flat=True)) == {"Its billing period was given back"}
        billed(as_of=FEB_1)
        assert (amounts_of(account), discrepancies()) == ([[3100], [6200]], [])

    def test_in_part_goes_on(self) -> None:
        account = billed_account()
        waiting(account, quantity=2)
        (invoice,) = invoices_of(account)
        part: dict[str, Any] = {"amount_minor": 1000, "reason": "an outage", "author": "bo"}
        issue_credit_note(invoice_id=invoice.id, today=JAN_21, now=at(JAN_21), **part)
        assert [status for *_, status in items_of(account)] == ["pending", "pending"]


class TestAPeriodThatADeductionPaid:
    def test_gives_unused_days_back_all_the_same(self) -> None:
        account = an_account(plan=a_plan(unit_amount_minor=3100))
        added(account, -3100, on=TODAY)
        billed(as_of=TODAY)
        assert amounts_of(account) == [[3100, -3100]]
        changed(account, quantity=2)
        pay(account)
        assert amounts_of(account)[1] == [-1600, 3200]
        changed(account, quantity=1)
        # Back on the same day: nothing is left to pay.
        assert (notes_of(account), discrepancies()) == ([1600], [])

    def test_gives_no_more_back_than_its_invoices_came_to(self) -> None:
        account = an_account(plan=a_plan(unit_amount_minor=3100))
        added(account, -3000, on=TODAY)
        billed(as_of=TODAY)
        changed(account, unit_amount_minor=0)
        assert (notes_of(account), discrepancies()) == ([100], [])


class TestALaterChange:
    def test_that_waits_adds_two_more(self) -> None:
        account = billed_account()
        waiting(account, quantity=2)
        waiting(account, on=JAN_21, quantity=3)
        assert [amount for amount, *_ in items_of(account)] == [-1600, 3200, -2200, 3300]
        billed(as_of=FEB_1)
        assert amounts_of(account)[1] == [9300, -1600, 3200, -2200, 3300]
        assert discrepancies() == []

    def test_that_is_billed_takes_them_along(self) -> None:
        account = billed_account()
        waiting(account, quantity=2)
        change = changed(account, on=JAN_21, quantity=3)
        assert change.billed is not None
        # -22.00 and 33.00 of its own, and 16.00 that had waited.
        assert (change.billed.proration.net_minor, change.billed.proration.taken_along_minor) == (2700, 1600)
        assert amounts_of(account) == [[3100], [-2200, 3300, -1600, 3200]]
        assert items_of(account) == [(-1600, -1600, "invoiced"), (3200, 3200, "invoiced")]
        assert account.payments.latest("id").amount_minor == 2700
        pay(account, on=JAN_21)
        billed(as_of=FEB_1)
        assert (amounts_of(account)[2], discrepancies()) == ([9300], [])

    @pytest.mark.parametrize(("price", "noted"), [(0, 1600), (1550, 800)])
    def test_to_less_in_all_is_credit_notes_for_the_net_of_all(self, price: int, noted: int) -> None:
        """16.00 more had waited; 32.00 is unused then, and nothing or 8.00 is charged."""
        account = billed_account()
        waiting(account, quantity=2)
        changed(account, quantity=1, unit_amount_minor=price)
        assert notes_of(account) == [noted]
        assert [status for *_, status in items_of(account)] == ["removed", "removed"]
        reasons = set(account.items.values_list("removal_reason", flat=True))
        assert reasons == {"Netted by the change of terms on 16 Jan 2026"}
        billed(as_of=FEB_1)
        assert (amounts_of(account)[1:], discrepancies()) == ([[price]], [])

    def test_back_on_the_same_day_leaves_nothing(self) -> None:
        account = billed_account()
        waiting(account, quantity=2)
        changed(account, quantity=1)
        assert (amounts_of(account), notes_of(account)) == ([[3100]], [])
        assert [status for *_, status in items_of(account)] == ["removed", "removed"]
        assert discrepancies() == []

    def test_without_proration_leaves_them(self) -> None:
        account = billed_account()
        waiting(account, quantity=2)
        changed(account, on=JAN_21, how={"proration": "none"}, quantity=3)
        assert [status for *_, status in items_of(account)] == ["pending", "pending"]
        billed(as_of=FEB_1)
        assert (amounts_of(account)[1], discrepancies()) == ([9300, -1600, 3200], [])

    def test_counts_them_as_billed(self) -> None:
        account = billed_account()
        waiting(account, quantity=2)
        period = running_period(lock_account(account.id), today=JAN_21)
        assert period is not None
        assert (period.to_credit_minor, period.lines_left_minor, period.waiting_minor) == (3100, 3100, 1600)
        assert (period.creditable_minor, period.price_minor) == (4700, 6200)


class TestAnotherInterval:
    def test_gives_back_what_is_unused_to_the_new_periods_invoice(self) -> None:
        account = billed_account()
        waiting(account, anchor_date=JAN_16)
        assert (items_of(account), notes_of(account)) == ([], [1600])
        _, new = invoices_of(account)
        assert (new.total_minor, new.balance_applied_minor, discrepancies()) == (3100, 1600, [])

    def test_that_is_billed_now_takes_along_what_had_waited(self) -> None:
        account = billed_account()
        waiting(account, quantity=2)
        changed(account, on=JAN_21, anchor_date=JAN_21)
        # 22.00 unused, of which 16.00 had not been billed.
        assert notes_of(account) == [600]
        assert [status for *_, status in items_of(account)] == ["removed", "removed"]
        billed(as_of=JAN_21)
        assert (amounts_of(account), discrepancies()) == ([[3100], [6200]], [])


class TestClosing:
    def test_bills_what_waits_on_the_last_invoice(self) -> None:
        account = billed_account()
        waiting(account, quantity=2)
        closed(account)
        assert (amounts_of(account), state_of(account)) == ([[3100], [-1600, 3200]], ("INACTIVE", 1600, 0))
        assert discrepancies() == []

    @pytest.mark.parametrize("collect", [True, False])
    def test_gives_what_a_larger_deduction_kept_off_an_invoice_as_credit(self, collect: bool) -> None:
        """A deduction that was agreed before took February down to zero: no room was left for the days of January."""
        account = billed_account()
        added(account, -10_000, on=JAN_16)
        waiting(account, quantity=2)
        billed(as_of=FEB_1)
        assert amounts_of(account)[1] == [6200, -9400, 3200]
        assert items_of(account)[1] == (-1600, 0, "pending")
        closed(account, on=MAR_1 - datetime.timedelta(days=1), collect=collect)
        assert [status for *_, status in items_of(account)] == ["removed", "removed", "invoiced"]
        assert (state_of(account), discrepancies()) == (("INACTIVE", 0, 1600), [])

    def test_without_collecting_gives_up_what_is_only_charged(self) -> None:
        rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
        account = billed_account(unit_amount_minor=0, tax_rate=rate.id)
        waiting(account, unit_amount_minor=3100)
        closed(account, collect=False)
        assert (items_of(account), state_of(account)) == ([(1600, 0, "removed")], ("INACTIVE", 0, 0))

    @pytest.mark.parametrize(
        ("quantity", "refund", "given_back"),
        [
            # 47.00 was billed, 22.00 of it for the days left; 16.00 of it had waited.
            (2, "prorated", 600),
            (2, "full", 3100),
        ],
    )
    def test_with_a_refund_nets_them_with_what_is_given_back(self, quantity: int, refund: str, given_back: int) -> None:
        account = billed_account()
        waiting(account, quantity=quantity)
        closed(account, refund=refund)
        assert account.refunds.get().amount_minor == given_back
        assert [status for *_, status in items_of(account)] == ["removed", "removed"]
        assert sent(account.refunds.get(), today=JAN_21, now=at(JAN_21)) == []
        assert (len(invoices_of(account)), state_of(account)) == (1, ("INACTIVE", 0, 0))
        assert discrepancies() == []

    def test_with_a_refund_of_less_than_waits_bills_the_difference(self) -> None:
        """January was free until the 16th: 16.00 had waited, and one day of 1.00 is given back."""
        account = billed_account(unit_amount_minor=0)
        waiting(account, unit_amount_minor=3100)
        closed(account, on=datetime.date(2026, 1, 31), refund="prorated")
        assert (amounts_of(account), list(account.refunds.all())) == ([[0], [1600, -100]], [])
        assert (state_of(account), discrepancies()) == (("INACTIVE", 1500, 0), [])


class TestAPause:
    def test_leaves_them_for_the_invoice_after_it(self) -> None:
        account = billed_account()
        waiting(account, quantity=2)
        signed: dict[str, Any] = {"reason": "a holiday", "author": "bo"}
        pause_account(account_id=account.id, at="now", until=None, today=JAN_21, now=at(JAN_21), **signed)
        assert fixed_items(account) == 0
        resume_account(account_id=account.id, on=None, today=MAR_1, now=at(MAR_1), **signed)
        billed(as_of=MAR_1)
        assert (amounts_of(account), discrepancies()) == ([[3100], [6200, -1600, 3200]], [])


class TestALaterDay:
    def test_has_nothing_that_could_wait(self) -> None:
        account = billed_account()
        assert changed(account, how=WAITS | {"effective": "period_end"}, quantity=2).billed is None
        assert (items_of(account), rows(account)) == ([], [("PAID", 0, 3100)])
