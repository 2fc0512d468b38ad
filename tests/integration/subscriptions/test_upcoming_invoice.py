"""Why no invoice is to come; and that looking at the next one leaves nothing behind."""

import datetime
import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.locked_accounts import UnknownAccount
from accounts.models import Account, TaxRate
from invoices.whole_invoices import WholeInvoice
from payments.gateways.port import Unknown
from rebilling.models import Rebilling, Run
from rebilling.run_review import release_run
from subscriptions.agreed_terms import TermsChanges
from subscriptions.lifecycle import close_account
from subscriptions.pauses import pause_account
from subscriptions.terms_changes import change_terms
from subscriptions.upcoming_invoice import NoUpcomingInvoice, upcoming_invoice
from tests.builders import (
    TODAY,
    QueueInHand,
    ScriptedGateway,
    a_plan,
    an_account,
    at,
    delivered,
    statuses_of,
    swept,
)
from tests.support.batches import in_the_way
from tests.support.databases import rolled_back
from tests.support.lifecycle import DAY, JAN_10, JAN_20, paid_account
from tests.support.owing import DECLINED, FEB_1, owing
from tests.support.upcoming import contents, previewed, signed

pytestmark = rolled_back


def closed(**given: Any) -> Account:
    account = paid_account()
    close_account(account_id=account.id, **given, **signed())
    return account


def paused(**given: Any) -> Account:
    account = paid_account()
    pause_account(account_id=account.id, **given, **signed())
    return account


def unpaid() -> Account:
    with override_settings(DUNNING_DAYS=[]):
        return owing(DECLINED)


def resumed_and_closed_within_what_is_paid() -> Account:
    account = paused(at="now", until=JAN_10)
    close_account(account_id=account.id, at=datetime.date(2026, 1, 20), **signed())
    return account


def catching_up_on_too_much() -> Account:
    return an_account(plan=a_plan(interval_unit="day"), anchor_date=TODAY - 40 * DAY, rebilling_date=TODAY - 40 * DAY)


def parked() -> Account:
    account = catching_up_on_too_much()
    swept(as_of=TODAY, queue=QueueInHand())
    assert statuses_of(account) == [(TODAY - 40 * DAY, "PARKED")]
    return account


def refused() -> Account:
    """The database refuses its invoice."""
    account = an_account()
    swept(as_of=TODAY, queue=QueueInHand())
    in_the_way(account.rebillings.get())
    return account


def with_a_billing_day_that_moves(account: Account) -> Account:
    change_terms(account_id=account.id, changes=TermsChanges(anchor_date=JAN_20), effective=JAN_20, **signed(JAN_10))
    return account


def about_to_be_cut_while_it_is_collected() -> Account:
    account = an_account()
    queue = QueueInHand()
    swept(as_of=TODAY, queue=queue)
    delivered(bodies=queue.take(), today=TODAY, gateway=ScriptedGateway(Unknown("a time-out")), queue=queue)
    return with_a_billing_day_that_moves(account)


WHY: dict[str, list[Callable[[], Account]]] = {
    "closed": [closed],
    "paused": [lambda: paused(at="now")],
    "unpaid": [unpaid],
    "to_be_closed": [lambda: closed(at="period_end"), resumed_and_closed_within_what_is_paid],
    "to_be_paused": [paused],
    "parked": [parked, catching_up_on_too_much, refused],
    "in_flight": [about_to_be_cut_while_it_is_collected],
    "out_of_range": [lambda: paid_account(plan=a_plan(interval_unit="year", interval_count=200))],
}


class TestNoInvoice:
    @pytest.mark.parametrize(("why", "kind"), [(why, kind) for why, kinds in WHY.items() for kind in kinds])
    def test_is_to_come_for_a_reason(self, why: str, kind: Callable[[], Account]) -> None:
        account = kind()
        assert previewed(account, on=JAN_10) == NoUpcomingInvoice(why)
        assert not isinstance(previewed(account, on=JAN_10), WholeInvoice)

    def test_is_to_come_of_an_account_that_does_not_exist(self) -> None:
        with pytest.raises(UnknownAccount):
            upcoming_invoice(account_id=TaxRate().id, today=TODAY, now=at(TODAY))


class TestHeldRun:
    def test_is_shown_as_it_is_billed_once_it_is_released(
        self, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        account, _ = an_account(), an_account()
        with override_settings(VOLUME_CHECK_FIRST_PERIODS=1):
            held = swept(as_of=TODAY, queue=QueueInHand())
        assert held.status == Run.Status.HELD
        # February is found due by the next sweep after that, and isn't on the same invoice.
        shown = previewed(account, on=FEB_1)
        assert isinstance(shown, WholeInvoice)
        assert [line.period_start for line in shown.lines] == [TODAY]
        queue = QueueInHand()
        with django_capture_on_commit_callbacks(execute=True):
            release_run(run_id=held.id, queue=queue, reason="real", author="ann", now=at(FEB_1))
        assert delivered(bodies=queue.take(), today=FEB_1) == []
        invoice = account.invoices.get()
        is_now = contents(invoice, invoice.lines.all(), invoice.balance_uses.all())
        taken = {"status": "PAID", "paid_minor": 1999, "in_flight": False}
        assert contents(shown.invoice, shown.lines, [])["invoice"] | taken == is_now["invoice"]


class TestLookingAtIt:
    def test_says_and_sends_nothing(
        self, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        kinds = [
            paid_account,
            parked,
            refused,
            lambda: closed(at="period_end"),
            catching_up_on_too_much,
            about_to_be_cut_while_it_is_collected,
        ]
        for kind in kinds:
            account = kind()
            caplog.clear()
            with caplog.at_level(logging.DEBUG), django_capture_on_commit_callbacks() as callbacks:
                upcoming_invoice(account_id=account.id, today=JAN_10, now=at(JAN_10))
            logged = [record.name for record in caplog.records if not record.name.startswith("django.db")]
            assert (callbacks, logged) == ([], [])

    def test_leaves_no_default_rate_behind(self) -> None:
        account = an_account()
        with override_settings(DEFAULT_TAX=("VAT", Decimal(10), False)):
            assert isinstance(previewed(account, on=TODAY), WholeInvoice)
        assert not TaxRate.objects.exists()

    def test_takes_as_many_statements_for_many_periods(self) -> None:
        def statements(months: int) -> int:
            start = datetime.date(2026, 1 - months + 12, 1).replace(year=2025)
            account = an_account(anchor_date=start, rebilling_date=start)
            with CaptureQueriesContext(connection) as found:
                shown = upcoming_invoice(account_id=account.id, today=TODAY - DAY, now=at(TODAY))
            assert isinstance(shown, WholeInvoice)
            assert len(shown.lines) == months
            return len(found)

        assert statements(1) == statements(9)
        assert not Rebilling.objects.exists()
