"""Discounts that two people give at once, or that are given while a sweep writes what is due."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from accounts.models import Account, Discount
from rebilling.models import Rebilling
from subscriptions.discounts import HasDiscount, give_discount
from tests.builders import NOW, TODAY, QueueInHand, an_account, swept
from tests.support.databases import committed
from tests.support.workers.threads import Gate, threads, wait_until_blocked, wrapped

pytestmark = committed


def give(account: Account, percent: int) -> str:
    """The refusal, or an empty string."""
    given: dict[str, Any] = {"reason": "agreed", "author": "ann", "today": TODAY, "now": NOW}
    try:
        give_discount(account_id=account.id, percent=Decimal(percent), **given)
    except HasDiscount as error:
        return error.detail
    return ""


class TestTwoPeople:
    def test_who_give_one_at_once_leave_the_first_and_the_second_sees_it(self) -> None:
        account, gate = an_account(), Gate()

        def pausing(record: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            gate.pass_through()
            return record(*args, **kwargs)

        with threads() as start, wrapped("subscriptions.discounts.record_changes", pausing):
            first = start(partial(give, account, 25))
            gate.wait_for_somebody()
            second = start(partial(give, account, 10))
            wait_until_blocked()
            assert not second.done()
            gate.open()
            assert first.result() == ""
            assert second.result() == "The account has 25% off, for good, from 1 Jan 2026: end that one first."
        assert list(Discount.objects.values_list("percent", flat=True)) == [Decimal(25)]


class TestSweep:
    def test_that_is_writing_makes_the_discount_wait_for_the_next_period(self) -> None:
        account, gate = an_account(), Gate()

        def pausing(write: Callable[..., Any], *args: Any, **given: Any) -> Any:
            gate.pass_through()
            return write(*args, **given)

        with threads() as start, wrapped("rebilling.sweep.write_rows", pausing):
            sweeping = start(partial(swept, as_of=TODAY, queue=QueueInHand()))
            gate.wait_for_somebody()
            giving = start(partial(give, account, 25))
            wait_until_blocked()
            assert not giving.done()
            gate.open()
            sweeping.result()
            assert giving.result() == ""
        row = Rebilling.objects.get()
        assert (row.discount_minor, row.amount_minor) == (0, 1999)
