"""The upcoming invoice looked at twice at once, and while the invoice itself is issued."""

from collections.abc import Callable
from functools import partial
from typing import Any

from accounts.models import Account
from invoices.whole_invoices import WholeInvoice
from subscriptions.upcoming_invoice import NoUpcomingInvoice, upcoming_invoice
from tests.builders import TODAY, QueueInHand, an_account, at, delivered, statuses_of, swept
from tests.support.databases import committed
from tests.support.upcoming import contents
from tests.support.workers.threads import Gate, threads, wait_until_blocked, wrapped

pytestmark = committed


def look(account: Account) -> WholeInvoice | NoUpcomingInvoice:
    return upcoming_invoice(account_id=account.id, today=TODAY, now=at(TODAY))


def held_in(what: str, gate: Gate) -> Any:
    def pausing(issue: Callable[..., Any], **given: Any) -> Any:
        issued = issue(**given)
        gate.pass_through()
        return issued

    return wrapped(what, pausing)


class TestTwo:
    def test_at_once_see_the_same(self) -> None:
        account, gate = an_account(), Gate()
        with threads() as start, held_in("rebilling.invoice_periods.issue_invoices", gate):
            first = start(partial(look, account))
            gate.wait_for_somebody()
            second = start(partial(look, account))
            wait_until_blocked()
            gate.open()
            seen = [looked.result() for looked in (first, second)]
        one, other = (contents(each.invoice, each.lines, []) for each in seen if isinstance(each, WholeInvoice))
        assert one == other
        assert not account.invoices.exists()


class TestWorker:
    def test_that_is_issuing_it_makes_the_next_one_seen(self) -> None:
        account, gate, queue = an_account(), Gate(), QueueInHand()
        swept(as_of=TODAY, queue=queue)
        with threads() as start, held_in("rebilling.invoice_periods.issue_invoices", gate):
            working = start(partial(delivered, bodies=queue.take()))
            gate.wait_for_somebody()
            looking = start(partial(look, account))
            wait_until_blocked()
            gate.open()
            assert working.result() == []
            seen = looking.result()
        assert isinstance(seen, WholeInvoice)
        assert str(seen.invoice.issued_on) == "2026-02-01"
        assert statuses_of(account) == [(TODAY, "CHARGED")]

    def test_that_comes_meanwhile_charges_once(self) -> None:
        account, gate, queue = an_account(), Gate(), QueueInHand()
        swept(as_of=TODAY, queue=queue)
        with threads() as start, held_in("rebilling.invoice_periods.issue_invoices", gate):
            looking = start(partial(look, account))
            gate.wait_for_somebody()
            working = start(partial(delivered, bodies=queue.take()))
            wait_until_blocked()
            gate.open()
            assert working.result() == []
            seen = looking.result()
        assert isinstance(seen, WholeInvoice)
        invoice = account.invoices.get()
        assert (invoice.number, invoice.issued_on) == (seen.invoice.number, seen.invoice.issued_on)
        assert statuses_of(account) == [(TODAY, "CHARGED")]
