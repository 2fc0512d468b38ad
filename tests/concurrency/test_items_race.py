"""Items that change while a sweep or a message is on its way: each is on one invoice, and nothing is on none."""

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from accounts.errors import OperationError
from accounts.models import Account
from invoices.models import Item
from rebilling.books import discrepancies
from rebilling.models import Rebilling
from tests.builders import TODAY, QueueInHand, an_account, delivered, swept
from tests.support.databases import committed
from tests.support.items import added, amounts_of, items_of, removed
from tests.support.workers.threads import Gate, threads, wait_until_blocked, wrapped

pytestmark = committed


def refusal(change: Callable[[], object]) -> str:
    try:
        change()
    except OperationError as error:
        return error.code
    return ""


def while_it_waits(target: str, work: Callable[[], Any], change: Callable[[], object]) -> str:
    """Begin the work, have the change come while the work is at `target`, and finish both. What refused the change."""
    gate = Gate()

    def pausing(original: Callable[..., Any], *args: Any, **given: Any) -> Any:
        gate.pass_through()
        return original(*args, **given)

    with threads() as start, wrapped(target, pausing):
        working = start(work)
        gate.wait_for_somebody()
        changing = start(partial(refusal, change))
        wait_until_blocked()
        assert not changing.done()
        gate.open()
        working.result()
        return changing.result()


@pytest.fixture
def account() -> Account:
    return an_account()


class TestSweep:
    def test_that_is_writing_makes_an_item_wait_for_the_next_period(self, account: Account) -> None:
        swept_today = partial(swept, as_of=TODAY, queue=QueueInHand())
        assert while_it_waits("rebilling.sweep.write_rows", swept_today, partial(added, account, 500)) == ""
        assert Rebilling.objects.get().items_minor is None
        assert Item.objects.get().rebilling_id is None

    def test_that_is_writing_keeps_a_deduction(self, account: Account) -> None:
        item = added(account, -500)
        swept_today = partial(swept, as_of=TODAY, queue=QueueInHand())
        refused = while_it_waits("rebilling.sweep.write_rows", swept_today, partial(removed, item))
        assert refused == "deduction-of-a-due-period"
        assert Rebilling.objects.get().items_minor == -500


class TestMessage:
    def test_that_is_charging_has_an_item_invoiced_before_it_is_removed(self, account: Account) -> None:
        item, queue = added(account, 500), QueueInHand()
        swept(as_of=TODAY, queue=queue)
        work = partial(delivered, bodies=queue.take())
        assert while_it_waits("rebilling.invoice_periods.issue_invoices", work, partial(removed, item)) == (
            "item-not-pending"
        )
        assert (amounts_of(account), items_of(account)) == ([[1999, 500]], [(500, 500, "invoiced")])
        assert discrepancies() == []


class TestTheSameRequestTwice:
    def test_adds_the_item_once(self, account: Account) -> None:
        add = partial(added, account, 500, item_id=uuid.uuid4(), billing="now")
        assert while_it_waits("subscriptions.items.invoice_at_once", add, add) == "item-already-added"
        assert (amounts_of(account), discrepancies()) == ([[500]], [])
