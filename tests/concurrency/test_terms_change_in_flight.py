"""Terms change while a sweep, a batch or another change is in flight: for a day either the old or the new terms are
billed, never both and never neither.
"""

import datetime
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from accounts.errors import OperationError
from accounts.models import Account, Terms
from invoices.models import Invoice, InvoiceLine
from invoices.write_offs import PaymentInFlight
from payments.models import Payment
from rebilling.billed_periods import PeriodNotCharged
from rebilling.books import discrepancies
from rebilling.models import Proration, Rebilling
from subscriptions.agreed_terms import TermsChanges
from subscriptions.terms_changes import ChangedMeanwhile, TermsChange, change_terms
from tests.builders import QueueInHand, a_plan, an_account, at, billed, delivered, swept
from tests.support.databases import committed
from tests.support.payments import collected
from tests.support.workers.threads import all_meet_before, threads, wait_until_blocked

DAY = datetime.date(2026, 3, 1)
MID = datetime.date(2026, 3, 17)
ROUNDS = 25
"""In each, who comes first is left to chance."""

Operation = Callable[[], Any]

pytestmark = committed


@pytest.fixture
def account() -> Account:
    """31.00 a month, from 1 March on."""
    return an_account(plan=a_plan(unit_amount_minor=3100), today=DAY)


def change(account: Account, *, on: datetime.date = DAY, **to: Any) -> TermsChange:
    changes = TermsChanges(**(to or {"quantity": 2}))
    return change_terms(account_id=account.id, changes=changes, reason="grew", author="ann", today=on, now=at(on))


def outcome_of(operation: Operation) -> Any:
    """What it returned, or the refusal that it raised."""
    try:
        return operation()
    except OperationError as refusal:
        return refusal


def one_after_the_other(first: Operation, second: Operation) -> Any:
    """The first holds the account's lock, not committed, when the second comes to it. Returns the second's outcome."""
    with threads() as start:
        with transaction.atomic():
            first()
            waiting = start(partial(outcome_of, second))
            wait_until_blocked()
            assert not waiting.done()
        return waiting.result()


def at_once(first: Operation, second: Operation, *, meet: str) -> tuple[Any, Any]:
    with all_meet_before(meet, parties=2), threads() as start:
        both = start(partial(outcome_of, first)), start(partial(outcome_of, second))
        return both[0].result(), both[1].result()


def prices_billed(account: Account) -> list[int]:
    """What the account's periods cost on their lines."""
    lines = InvoiceLine.objects.filter(invoice__account=account, kind="period").order_by("period_start")
    return list(lines.values_list("amount_minor", flat=True))


class TestASweep:
    def test_that_waits_for_the_change_finds_the_new_price(self, account: Account) -> None:
        queue = QueueInHand()
        one_after_the_other(partial(change, account), partial(swept, as_of=DAY, queue=queue))
        assert delivered(bodies=queue.take(), today=DAY) == []
        assert prices_billed(account) == [6200]
        assert discrepancies() == []

    def test_keeps_the_change_out_once_it_found_the_period_due(self, account: Account) -> None:
        queue = QueueInHand()
        swept(as_of=DAY, queue=queue)
        assert isinstance(outcome_of(partial(change, account)), PeriodNotCharged)
        assert delivered(bodies=queue.take(), today=DAY) == []
        assert prices_billed(account) == [3100]

    def test_at_once_with_the_change_bills_one_of_the_prices(self) -> None:
        for _ in range(ROUNDS):
            account, queue = an_account(plan=a_plan(unit_amount_minor=3100), today=DAY), QueueInHand()
            found, _ = at_once(
                partial(change, account),
                partial(swept, as_of=DAY, queue=queue),
                meet="accounts.locked_accounts.uuid_array",
            )
            assert delivered(bodies=queue.take(), today=DAY) == []
            changed = isinstance(found, TermsChange)
            assert changed or isinstance(found, PeriodNotCharged)
            assert prices_billed(account) == [6200 if changed else 3100]
            assert Terms.objects.filter(account=account).count() == 1 + changed
        assert discrepancies() == []


class TestABatch:
    def test_that_is_charged_meanwhile_keeps_the_change_out_until_it_is_collected(self, account: Account) -> None:
        queue = QueueInHand()
        swept(as_of=DAY, queue=queue)
        bodies = queue.take()
        for _ in range(2):
            found, failed = at_once(
                partial(change, account, quantity=2),
                partial(delivered, bodies=bodies, today=DAY),
                meet="accounts.locked_accounts.uuid_array",
            )
            assert failed == []
            if isinstance(found, TermsChange):
                # It came after the outcome, or the batch came again.
                break
            assert isinstance(found, PeriodNotCharged | PaymentInFlight)
        assert prices_billed(account) == [3100]
        assert Proration.objects.count() == isinstance(found, TermsChange)
        assert discrepancies() == []


class TestAnotherChange:
    def test_that_waits_is_refused_and_sees_the_first(self, account: Account) -> None:
        billed(as_of=DAY)
        found = one_after_the_other(partial(change, account, on=MID), partial(change, account, on=MID, quantity=3))
        assert isinstance(found, ChangedMeanwhile)
        assert Proration.objects.count() == 1
        assert Invoice.objects.filter(account=account).count() == 2

    def test_at_once_is_made_once(self) -> None:
        for _ in range(ROUNDS):
            account = an_account(plan=a_plan(unit_amount_minor=3100), today=DAY)
            billed(as_of=DAY)
            found = at_once(
                partial(change, account, on=MID),
                partial(change, account, on=MID),
                meet="subscriptions.terms_changes.lock_account",
            )
            assert sorted(type(each).__name__ for each in found) == ["ChangedMeanwhile", "TermsChange"]
            period = Rebilling.objects.get(account=account)
            assert [(row.credit_minor, row.charge_minor) for row in period.prorations.all()] == [(1500, 3000)]
            payment = Payment.objects.get(account=account, status="SUBMITTED")
            assert payment.amount_minor == 1500
            collected(payment.id, day=MID)
        assert discrepancies() == []
