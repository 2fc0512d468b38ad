"""Which items are invoiced with a period that is found due, what they come to, and at what cost in statements."""

import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from accounts.tax_rates import create_tax_rate
from invoices.models import InvoiceLine
from rebilling.books import discrepancies
from rebilling.models import Rebilling, Run
from rebilling.parked_periods import release_parked, skip_parked
from rebilling.run_review import cancel_run, release_run
from rebilling.sweep import find_due
from rebilling.volume_check import sizes_of
from subscriptions.item_removals import DeductionFixed
from tests.builders import NOW, TODAY, QueueInHand, a_plan, an_account, billed, delivered, due, swept
from tests.support.batches import deactivate
from tests.support.databases import rolled_back
from tests.support.items import added, amounts_of, fixed_items, items_of, removed
from tests.support.owing import FEB_1, MAR_1, state_of
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

PRICE = 1999


def statements(act: Any) -> int:
    with CaptureQueriesContext(connection) as found:
        act()
    return len(found)


def weight_of(run: Run) -> int:
    (size,) = sizes_of([run.id])
    return size.amount_minor["USD"]


class TestCharges:
    def test_have_the_items_after_the_periods_in_the_order_in_which_they_were_added(self) -> None:
        account = an_account(anchor_date=datetime.date(2025, 12, 1), rebilling_date=datetime.date(2025, 12, 1))
        added(account, 500, description="Setup", quantity=3)
        added(account, -700, description="For the wait")
        added(account, 20)
        billed(as_of=TODAY)
        lines = InvoiceLine.objects.order_by("position").values_list(
            "kind", "description", "quantity", "unit_amount_minor", "amount_minor", "rebilling_id"
        )
        assert list(lines)[2:] == [
            ("item", "Setup", 3, 500, 1500, None),
            ("item", "For the wait", 1, -700, -700, None),
            ("item", "Setup", 1, 20, 20, None),
        ]
        assert amounts_of(account) == [[PRICE, PRICE, 1500, -700, 20]]
        assert items_of(account) == [(1500, 1500, "invoiced"), (-700, -700, "invoiced"), (20, 20, "invoiced")]
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert account.payments.get().amount_minor == 2 * PRICE + 820
        assert discrepancies() == []

    def test_have_no_item_that_was_added_after_the_period_was_found_due(self) -> None:
        account = an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        added(account, 500)
        assert delivered(bodies=queue.take()) == []
        billed(as_of=FEB_1)
        assert amounts_of(account) == [[PRICE], [PRICE, 500]]

    def test_of_a_period_found_before_and_a_later_one_have_the_items_of_each(self) -> None:
        account = an_account()
        added(account, 100)
        swept(as_of=TODAY, queue=QueueInHand())
        added(account, 200)
        billed(as_of=FEB_1)
        assert amounts_of(account) == [[PRICE, PRICE, 100, 200]]
        assert list(Rebilling.objects.order_by("period_start").values_list("items_minor", flat=True)) == [100, 200]
        assert discrepancies() == []

    def test_have_no_item_that_was_removed_though_it_was_found_due(self) -> None:
        account = an_account()
        item = added(account, 500)
        queue = QueueInHand()
        run = swept(as_of=TODAY, queue=queue)
        assert weight_of(run) == PRICE + 500
        removed(item)
        assert delivered(bodies=queue.take()) == []
        assert (amounts_of(account), items_of(account)) == ([[PRICE]], [(500, 0, "removed")])
        assert discrepancies() == []

    def test_have_the_tax_rate_of_the_period(self) -> None:
        rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
        account = an_account(plan=a_plan(unit_amount_minor=10_000), tax_rate=rate.id)
        added(account, 5000)
        billed(as_of=TODAY)
        lines = InvoiceLine.objects.order_by("position").values_list("amount_minor", "tax_minor", "tax_rate_id")
        assert list(lines) == [(10_000, 2100, rate.id), (5000, 1050, rate.id)]
        assert discrepancies() == []


class TestADeduction:
    def test_stops_at_zero_and_its_rest_waits_for_the_next_invoice(self) -> None:
        account = an_account()
        added(account, -5000)
        billed(as_of=TODAY)
        assert (amounts_of(account), items_of(account)) == ([[PRICE, -PRICE]], [(-5000, -PRICE, "pending")])
        assert state_of(account) == ("ACTIVE", 0, 0)
        billed(as_of=FEB_1)
        billed(as_of=MAR_1)
        assert amounts_of(account) == [[PRICE, -PRICE], [PRICE, -PRICE], [PRICE, -1002]]
        last = InvoiceLine.objects.latest("id")
        assert (last.quantity, last.unit_amount_minor) == (1, -1002)
        assert items_of(account) == [(-5000, -5000, "invoiced")]
        assert account.payments.get().amount_minor == 997
        assert discrepancies() == []

    def test_takes_what_positive_items_come_to_whenever_they_were_added(self) -> None:
        account = an_account()
        added(account, -3000)
        added(account, -1000)
        added(account, 1500)
        billed(as_of=TODAY)
        assert amounts_of(account) == [[PRICE, -3000, -499, 1500]]
        assert items_of(account) == [(-3000, -3000, "invoiced"), (-1000, -499, "pending"), (1500, 1500, "invoiced")]
        assert discrepancies() == []

    def test_that_has_no_room_waits_whole(self) -> None:
        account = an_account(plan=a_plan(unit_amount_minor=0))
        added(account, -3000)
        billed(as_of=TODAY)
        assert (amounts_of(account), items_of(account)) == ([[0]], [(-3000, 0, "pending")])
        assert fixed_items(account) == 0
        assert discrepancies() == []

    def test_takes_its_tax_with_it_and_leaves_no_total_below_zero(self) -> None:
        rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
        account = an_account(plan=a_plan(unit_amount_minor=1000), tax_rate=rate.id)
        added(account, -1500)
        billed(as_of=TODAY)
        billed(as_of=FEB_1)
        lines = InvoiceLine.objects.order_by("invoice_id", "position").values_list("total_minor", flat=True)
        assert list(lines) == [1210, -1210, 1210, -605]
        assert discrepancies() == []

    def test_of_another_rate_than_the_period_stops_where_the_total_is_zero(self) -> None:
        """Taxed at 21% since, the deduction takes 21% with it, and the first period's price had no tax."""
        account = an_account(plan=a_plan(unit_amount_minor=1000))
        swept(as_of=TODAY, queue=QueueInHand())
        rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
        Account.objects.filter(id=account.id).update(tax_rate=rate)
        added(account, -5000)
        billed(as_of=FEB_1)
        (invoice,) = account.invoices.all()
        # 10.00, 10.00 with 2.10, and as much of the deduction as 22.10 pays for: 18.26 with 3.83 of tax, and 0.01 more.
        assert amounts_of(account) == [[1000, 1000, -1826]]
        assert invoice.total_minor == 1000 + 1000 - 1826 - 173
        assert discrepancies() == []

    def test_that_is_fixed_to_a_parked_period_is_removed_when_a_person_has_decided(self) -> None:
        start = TODAY - datetime.timedelta(days=40)
        account = an_account(plan=a_plan(interval_unit="day"), anchor_date=start, rebilling_date=start)
        item = added(account, -5000)
        swept(as_of=TODAY, queue=QueueInHand())
        with nothing_moves(), pytest.raises(DeductionFixed, match=r"which is PARKED.*when a person has decided"):
            removed(item)

    def test_that_is_fixed_is_not_removed_before_the_period_is_charged(self) -> None:
        account = an_account()
        item = added(account, -5000)
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        with nothing_moves(), pytest.raises(DeductionFixed) as caught:
            removed(item)
        assert caught.value.passing
        assert delivered(bodies=queue.take()) == []
        assert removed(item).status == "removed"
        billed(as_of=FEB_1)
        assert (amounts_of(account), items_of(account)) == ([[PRICE, -PRICE], [PRICE]], [(-5000, -PRICE, "removed")])
        assert discrepancies() == []


class TestWeight:
    @pytest.mark.parametrize(("amounts", "weight"), [((500,), 2499), ((-500, 100), 1599), ((-5000, 100), 0)])
    def test_is_what_is_charged_before_taxes(self, amounts: tuple[int, ...], weight: int) -> None:
        account = an_account()
        for amount in amounts:
            added(account, amount)
        run = billed(as_of=TODAY)
        assert weight_of(run) == weight == account.invoices.get().total_minor

    def test_of_a_deduction_is_no_more_than_all_that_is_due_of_its_account(self) -> None:
        """It hides nothing of what others are charged."""
        account, other = due(2, on=datetime.date(2025, 12, 1))
        added(account, -1_000_000)
        run = billed(as_of=TODAY)
        assert weight_of(run) == sum(invoice.total_minor for invoice in other.invoices.all()) == 2 * PRICE

    def test_holds_a_run(self, settings: Any) -> None:
        settings.VOLUME_CHECK_SMALL_RUN = 0
        account = an_account()
        billed(as_of=TODAY)
        added(account, 500_000)
        run = swept(as_of=FEB_1, queue=QueueInHand())
        assert (run.status, "USD" in run.held_because) == ("HELD", True)

    def test_is_in_a_dry_run_and_nothing_is_written(self) -> None:
        account = an_account()
        added(account, 500)
        with nothing_moves():
            (row,) = find_due(as_of=TODAY, now=NOW)
        assert row.weight_minor == PRICE + 500


class TestAPeriodThatIsNotCharged:
    @pytest.fixture
    def held(self, settings: Any) -> tuple[Account, Run]:
        """An item of 5.00 and a deduction of 1.00, fixed to a period of a held run."""
        account = an_account(rebilling_date=TODAY)
        added(account, 500)
        added(account, -100)
        settings.VOLUME_CHECK_FIRST_PERIODS = 1
        an_account(rebilling_date=TODAY)
        run = swept(as_of=TODAY, queue=QueueInHand())
        settings.VOLUME_CHECK_FIRST_PERIODS = 100
        assert (run.status, fixed_items(account)) == ("HELD", 2)
        return account, run

    def test_of_a_cancelled_run_gives_its_items_to_the_next_sweeps(self, held: tuple[Account, Run]) -> None:
        account, run = held
        cancel_run(run_id=run.id, reason="too much", author="ann", now=NOW)
        assert fixed_items(account) == 0
        billed(as_of=TODAY)
        assert amounts_of(account) == [[PRICE, 500, -100]]
        assert discrepancies() == []

    def test_of_a_released_run_keeps_them_and_takes_no_other(self, held: tuple[Account, Run]) -> None:
        account, run = held
        added(account, 70_000)
        queue = QueueInHand()
        release_run(run_id=run.id, reason="it is right", author="ann", now=NOW, queue=queue)
        billed(as_of=TODAY)
        assert amounts_of(account) == [[PRICE, 500, -100]]
        assert discrepancies() == []

    def test_of_an_account_that_is_inactive_waits_with_it(self) -> None:
        account = an_account()
        added(account, 500)
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        deactivate(account)
        assert delivered(bodies=queue.take()) == []
        assert (fixed_items(account), items_of(account)) == (0, [(500, 0, "pending")])
        assert discrepancies() == []

    @pytest.mark.parametrize("decide", [release_parked, skip_parked])
    def test_that_is_parked_keeps_its_items_until_it_is_decided_about(self, decide: Any) -> None:
        start = TODAY - datetime.timedelta(days=40)
        account = an_account(
            plan=a_plan(interval_unit="day", unit_amount_minor=100),
            anchor_date=start,
            rebilling_date=start,
            today=start,
        )
        added(account, 500)
        billed(as_of=TODAY)
        parked = Rebilling.objects.get()
        assert (parked.status, parked.items_minor, fixed_items(account)) == ("PARKED", 500, 1)
        decide(rebilling_id=parked.id, reason="looked into", author="ann", now=NOW)
        assert fixed_items(account) == 1
        assert Rebilling.objects.get(items_minor=500, status="DUE").period_start == (
            start if decide is release_parked else start + datetime.timedelta(days=1)
        )
        billed(as_of=TODAY)
        assert amounts_of(account)[0][-1] == 500
        assert items_of(account) == [(500, 500, "invoiced")]
        assert discrepancies() == []


class TestStatements:
    def test_of_a_sweep_are_three_more_for_a_batch_with_items_whatever_their_number(self) -> None:
        def with_items(number: int) -> int:
            accounts = due(10, on=TODAY)
            for account in accounts[:number]:
                added(account, 500)
                added(account, -700)
            return statements(lambda: swept(as_of=TODAY, queue=QueueInHand()))

        none, one, ten = (with_items(number) for number in (0, 1, 10))
        assert (one, ten) == (none + 3, none + 3)

    def test_of_the_worker_are_two_more_for_a_batch_with_items_whatever_their_number(self, settings: Any) -> None:
        settings.VOLUME_CHECK_MULTIPLE = 0

        def with_items(number: int) -> int:
            accounts = due(10, on=TODAY)
            for account in accounts[:number]:
                added(account, 500)
                added(account, -700)
            queue = QueueInHand()
            swept(as_of=TODAY, queue=queue)
            return statements(lambda: delivered(bodies=queue.take()))

        none, one, ten = (with_items(number) for number in (0, 1, 10))
        assert (one, ten) == (none + 2, none + 2)
