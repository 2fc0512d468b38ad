"""The hourly check sees nothing wrong in what people may do."""

import datetime
from typing import Any

import pytest

from accounts.models import Account
from invoices.credits import grant_credit, reverse_entry
from payments.models import Payment
from payments.reversed_money import record_reversed_payment
from rebilling.books import changed_runs, discrepancies
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.reconcile import reconcile
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, QueueInHand, a_plan, an_account, at, billed, swept
from tests.support.databases import rolled_back
from tests.support.owing import FEB_1, state_of

LATER = NOW + datetime.timedelta(hours=2)


@pytest.fixture
def parked() -> Account:
    """Its fifty-two weeks are too many: the first is parked, and the run that found it is reconciled."""
    since = TODAY - datetime.timedelta(weeks=52)
    account = an_account(plan=a_plan(interval_unit="week"), anchor_date=since, rebilling_date=since)
    run = billed(as_of=TODAY)
    reconcile(runs=[run], now=LATER)
    assert (Run.objects.get().status, Rebilling.objects.get().status) == ("RECONCILED", "PARKED")
    return account


@rolled_back
class TestFinishedRun:
    def test_is_reconciled_again_when_its_parked_account_is_closed(self, parked: Account) -> None:
        close_account(account_id=parked.id, reason="moved away", author="ann", today=TODAY, now=LATER)
        run = Run.objects.get()
        assert (run.status, Rebilling.objects.get().status) == ("OPEN", "SKIPPED")
        (found,) = reconcile(runs=[run], now=LATER)
        assert (found.status, found.skipped.reasons) == ("RECONCILED", {"account_inactive": 1})
        assert changed_runs() == []

    def test_is_reconciled_again_when_the_sweep_skips_its_parked_account(self, parked: Account) -> None:
        Account.objects.filter(id=parked.id).update(status="INACTIVE", inactive_reason="unpaid")
        swept(as_of=TODAY + datetime.timedelta(days=1), queue=QueueInHand())
        run = Run.objects.order_by("id")[0]
        assert (run.status, Rebilling.objects.get().status) == ("OPEN", "SKIPPED")
        reconcile(runs=[run], now=at(TODAY + datetime.timedelta(days=1)))
        assert Run.objects.get(id=run.id).status == "RECONCILED"
        assert changed_runs() == []


@rolled_back
class TestInvoiceThatBroughtADebtForward:
    def test_may_be_paid_taken_back_and_credited(self) -> None:
        """500 of a credit taken back are collected with 500; that money is taken back, and credit takes its place."""
        account = an_account(plan=a_plan(unit_amount_minor=500))
        signed: dict[str, Any] = {"reason": "looked into", "author": "ann", "today": FEB_1, "now": at(FEB_1)}
        credit = grant_credit(account_id=account.id, amount_minor=500, **signed)
        billed(as_of=TODAY)
        reverse_entry(entry_id=credit.id, **signed)
        assert state_of(account) == ("ACTIVE", 0, -500)
        billed(as_of=FEB_1)
        payment = Payment.objects.latest("id")
        assert (payment.status, payment.amount_minor) == ("SUCCEEDED", 1000)
        record_reversed_payment(payment_id=payment.id, **signed)
        grant_credit(account_id=account.id, amount_minor=600, **signed)
        assert state_of(account) == ("ACTIVE", 400, 0)
        assert discrepancies() == []
