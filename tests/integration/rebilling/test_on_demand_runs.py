"""The day's run of what is billed at once, beside the sweeps' runs."""

import datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now as real_now

from accounts.account_opening import NewAccount
from accounts.locked_accounts import lock_account
from accounts.models import Account
from rebilling.hourly_check import check_hourly
from rebilling.models import Rebilling, Run
from rebilling.on_demand_billing import NotBilled, bill_today
from rebilling.reconciliation.summary import reconciliation_of
from subscriptions.sign_up import NoFirstInvoice, SignedUp, sign_up
from tests.builders import TODAY, QueueInHand, a_plan, an_account, at, billed, due, swept
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED, answers
from tests.support.terms import JAN_16, billed_account, changed

JAN_2 = datetime.date(2026, 1, 2)


@pytest.fixture(autouse=True)
def _a_plan(db: None) -> None:
    a_plan(code="pro")


def signed_up(*, today: datetime.date = TODAY, **terms: Any) -> SignedUp:
    new = NewAccount(**({"name": "Ada", "email": "ada@example.com", "plan": "pro"} | terms))
    return sign_up(new=new, author="test", today=today, now=at(today))


def sizes_in_history(run: Run) -> dict[str, Any]:
    assert run.usual is not None
    return {name: run.usual[name] for name in ("periods", "amount_minor", "days")}


@rolled_back
class TestRunOfTheDay:
    def test_takes_all_sign_ups_of_its_day_and_the_next_day_has_its_own(self) -> None:
        for today in (TODAY, TODAY, JAN_2):
            signed_up(today=today)
        runs = Run.objects.order_by("id")
        assert [(run.as_of, run.kind, run.status, run.rebillings.count()) for run in runs] == [
            (TODAY, "on_demand", "OPEN", 2),
            (JAN_2, "on_demand", "OPEN", 1),
        ]
        assert [str(run) for run in runs] == ["on-demand run of 2026-01-01", "on-demand run of 2026-01-02"]

    def test_is_one_a_day_by_the_databases_rule(self) -> None:
        signed_up()
        first = Run.objects.get()
        again = Run(kind="on_demand", as_of=TODAY, status="OPEN", started_at=real_now(), usual=first.usual)
        with pytest.raises(IntegrityError, match="run_on_demand_once_a_day"), transaction.atomic():
            again.save(force_insert=True)

    def test_is_compared_with_the_largest_run_of_either_kind(self, settings: Any) -> None:
        settings.VOLUME_CHECK_SMALL_RUN, settings.VOLUME_CHECK_MULTIPLE = 0, 2
        due(2, on=TODAY)
        billed(as_of=TODAY)
        assert [signed_up(today=JAN_2).no_invoice for _ in range(5)] == [None] * 4 + [NoFirstInvoice.RUN_HELD]
        first, held = Run.objects.filter(kind="on_demand").order_by("id")
        assert sizes_in_history(first) == {"periods": 2, "amount_minor": {"USD": 3998}, "days": 1}
        assert sizes_in_history(held) == {"periods": 4, "amount_minor": {"USD": 7996}, "days": 1}
        assert held.held_because == (
            "5 periods are due, more than 4 (2 times the largest run of 35 days, for 1 day); "
            "99.95 USD is due, more than 79.96 USD (2 times the largest run of 35 days, for 1 day)"
        )

    def test_by_its_amounts_holds_one_price_that_is_far_too_high(self) -> None:
        due(2, on=TODAY)
        billed(as_of=TODAY)
        assert signed_up(today=JAN_2).no_invoice is None
        assert signed_up(today=JAN_2, unit_amount_minor=1999_00 * 5).no_invoice == NoFirstInvoice.RUN_HELD
        assert Account.objects.latest("id").status == "PENDING"

    def test_is_no_measure_for_a_sweep(self, settings: Any) -> None:
        """A sign-up yesterday says nothing about how much a sweep usually finds."""
        settings.VOLUME_CHECK_SMALL_RUN = 0
        signed_up()
        due(20, on=JAN_2)
        assert swept(as_of=JAN_2, queue=QueueInHand()).status == "OPEN"

    def test_has_no_part_in_what_a_sweep_should_have_found(self) -> None:
        signed_up()
        an_account()
        run = Run.objects.get()
        found = reconciliation_of(run=run, now=at(JAN_2) + datetime.timedelta(hours=3))
        assert (found.due.periods, found.unexplained.periods, found.kind) == (1, 0, "on_demand")

    def test_is_not_the_sweep_after_which_the_hourly_check_takes_steps_of_dunning(self) -> None:
        an_account()
        billed(as_of=TODAY, gateway=answers(DECLINED))
        signed_up(today=JAN_2)
        queue, later = QueueInHand(), at(JAN_2) + datetime.timedelta(hours=2)
        assert check_hourly(queue=queue, now=later).failed == []
        assert Account.objects.filter(dunning_steps__gt=0).count() == 0
        # The sweep has come by then.
        swept(as_of=JAN_2, queue=queue)
        assert Account.objects.filter(dunning_steps=1).count() == 1


@rolled_back
class TestTheDaysLock:
    @override_settings(INVOICE_NUMBERING="company")
    def test_comes_before_the_companys_numbers(self) -> None:
        """A sign-up takes them in this order. So does a change that issues an invoice before it bills a new period."""
        account = billed_account()
        changed(account, how={"proration": "next_invoice"}, quantity=3)
        with CaptureQueriesContext(connection) as queries:
            change = changed(account, anchor_date=JAN_16, quantity=3)
        assert change.new_period is not None
        assert change.billed is not None
        assert change.billed.invoice_id is None
        taken = [place for place, query in enumerate(queries) if "invoices_numberseries" in query["sql"]]
        locked = [place for place, query in enumerate(queries) if _locks_the_run(query["sql"])]
        assert min(locked) < min(taken)


def _locks_the_run(statement: str) -> bool:
    return "rebilling_run" in statement and "FOR NO KEY UPDATE" in statement


class TestBillToday:
    def test_refuses_an_account_whose_next_period_begins_on_another_day(self) -> None:
        account = an_account(anchor_date=JAN_2)
        with transaction.atomic(), pytest.raises(ValueError, match="begins on 2026-01-02, not on 2026-01-01"):
            bill_today(account=lock_account(account.id), gateway="logging", today=TODAY, now=at(TODAY))
        assert not Run.objects.exists()

    def test_parks_what_the_database_refuses_and_the_account_is_open(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(**given: Any) -> None:
            raise IntegrityError("invoice_number_once")

        monkeypatch.setattr("rebilling.invoice_periods.issue_invoices", refuse)
        opened = signed_up()
        assert (opened.invoice_id, opened.no_invoice) == (None, NotBilled.PARKED.value)
        row = Rebilling.objects.get()
        assert (row.status, row.reason, row.run.kind) == ("PARKED", "charge_refused", "on_demand")
        assert (opened.account.status, opened.account.rebilling_date) == ("PENDING", TODAY)
