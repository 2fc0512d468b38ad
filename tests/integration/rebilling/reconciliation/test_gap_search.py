"""All accounts are searched for gaps once after each sweep, and once a day; what is asked for in between reads what was
found.
"""

import datetime
import uuid

from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from rebilling.models import GapSuspect, Run
from rebilling.reconciliation.gap_search import search_for_gaps
from rebilling.reconciliation.presentation import as_text
from rebilling.reconciliation.reconcile import reconcile
from rebilling.reconciliation.summary import reconciliation_of
from tests.builders import NOW, TODAY, QueueInHand, a_plan, an_account, at, billed, sent_again, swept
from tests.support.databases import committed, rolled_back

DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)


def moved_by_hand(account: Account, *, days: int) -> None:
    """Its rebilling date, past periods that nobody billed."""
    account.refresh_from_db()
    Account.objects.filter(id=account.id).update(rebilling_date=account.rebilling_date + days * DAY)


def suspects() -> set[tuple[uuid.UUID, datetime.datetime]]:
    return set(GapSuspect.objects.values_list("account_id", "found_at"))


def searches(now: datetime.datetime, *, whole: bool = False) -> int:
    """How often all accounts were read by the search."""
    with CaptureQueriesContext(
        connection,
    ) as asked:
        search_for_gaps(now=now, whole=whole)
    return sum("rebilling_gapsuspect" in query["sql"] for query in asked.captured_queries)


@rolled_back
class TestSearchForGaps:
    def test_is_made_once_after_each_sweep(self) -> None:
        an_account()
        run = billed(as_of=TODAY)
        assert [searches(NOW), searches(NOW + HOUR)] == [1, 0]
        run.refresh_from_db()
        assert run.gaps_searched_at == NOW
        billed(as_of=TODAY)
        assert [searches(NOW + HOUR), searches(NOW + HOUR)] == [1, 0]

    def test_is_made_daily_while_a_run_is_open(self) -> None:
        an_account()
        swept(as_of=TODAY, queue=QueueInHand())
        assert [searches(NOW), searches(NOW + DAY - HOUR), searches(NOW + DAY)] == [1, 0, 1]

    def test_is_made_for_no_run_that_is_reconciled_held_or_on_demand(self) -> None:
        an_account()
        reconcile(runs=[billed(as_of=TODAY)], now=NOW)
        Run.objects.create(as_of=TODAY, status="OPEN", started_at=NOW, kind="on_demand", usual={}, passed_at=NOW)
        held = Run.objects.create(as_of=TODAY, status="OPEN", started_at=NOW, swept_at=NOW)
        Run.objects.filter(id=held.id).update(status="HELD")
        assert searches(NOW + 2 * DAY) == 0

    def test_waits_for_a_sweep_to_end(self) -> None:
        run = Run.objects.create(as_of=TODAY, status="OPEN", started_at=NOW)
        assert [searches(NOW), searches(NOW + 59 * HOUR / 60)] == [0, 0]
        assert searches(NOW + HOUR) == 1
        run.refresh_from_db()
        assert run.gaps_searched_at == NOW + HOUR

    def test_is_made_in_any_case_when_everything_is_to_be_looked_at(self) -> None:
        assert [searches(NOW), searches(NOW, whole=True)] == [0, 1]

    def test_finds_dates_that_were_moved_and_forgets_what_was_mended(self) -> None:
        plan = a_plan(interval_unit="day")
        _, ahead, earlier = (an_account(plan=plan, rebilling_date=TODAY) for _ in range(3))
        for day in range(3):
            billed(as_of=TODAY + day * DAY)
        moved_by_hand(ahead, days=4)
        Account.objects.filter(id=earlier.id).update(first_rebilling_date=TODAY - DAY, anchor_date=TODAY - DAY)
        search_for_gaps(now=NOW, whole=True)
        assert suspects() == {(ahead.id, NOW), (earlier.id, NOW)}
        moved_by_hand(ahead, days=-4)
        search_for_gaps(now=NOW + HOUR, whole=True)
        assert suspects() == {(earlier.id, NOW)}


@committed
class TestALostRow:
    def test_is_found(self) -> None:
        """Three days are found due, and the second is deleted by the database's owner before it is charged."""
        account = an_account(plan=a_plan(interval_unit="day"), rebilling_date=TODAY)
        queue = QueueInHand()
        run = swept(as_of=TODAY + 2 * DAY, queue=queue)
        with connections["owner"].cursor() as cursor:
            cursor.execute("DELETE FROM rebilling_rebilling WHERE period_start = %s", [TODAY + DAY])
        now = at(TODAY + 2 * DAY)
        (found,) = reconcile(runs=[run], now=now)
        assert found.unexplained_first == [f"{account.id} from {TODAY + DAY} has no row"]
        moved_by_hand(account, days=3)
        search_for_gaps(now=now, whole=True)
        assert suspects() == {(account.id, now)}


@rolled_back
class TestBetweenSearches:
    def test_a_run_is_not_reconciled_before_it_was_searched_for(self) -> None:
        account = an_account()
        moved_by_hand(account, days=31)
        run = billed(as_of=TODAY)
        found = reconciliation_of(run=run, now=NOW)
        assert (found.clean, found.searched) == (True, False)
        assert as_text(found).splitlines()[-1].strip() == (
            "In progress: the next hourly check looks whether the sweep missed anything."
        )
        (found,) = reconcile(runs=[run], now=NOW)
        assert (found.status, found.unexplained.periods) == ("OPEN", 1)

    def test_a_date_moved_by_hand_is_reported_within_a_day(self) -> None:
        account = an_account()
        an_account(plan=a_plan(unit_amount_minor=100))
        # Its message is lost, so that the run stays open.
        run = swept(as_of=TODAY, queue=QueueInHand())
        assert sent_again(queue=QueueInHand(), now=NOW) == 0
        moved_by_hand(account, days=59)
        assert reconciliation_of(run=run, now=NOW).unexplained.periods == 0
        sent_again(queue=QueueInHand(), now=NOW + DAY)
        assert suspects() == {(account.id, NOW + DAY)}

    def test_a_date_moved_after_a_run_was_reconciled_is_reported_for_the_next(self) -> None:
        account = an_account(plan=a_plan(interval_unit="day"), rebilling_date=TODAY)
        reconcile(runs=[billed(as_of=TODAY)], now=NOW)
        moved_by_hand(account, days=1)
        later = TODAY + 2 * DAY
        (found,) = reconcile(runs=[billed(as_of=later)], now=at(later))
        assert found.unexplained_first == [f"{account.id} from {TODAY + DAY} has no row"]

    def test_what_is_due_and_was_not_found_is_reported_at_once(self) -> None:
        run = billed(as_of=TODAY)
        reconciled = reconciliation_of(run=run, now=NOW)
        assert reconciled.unexplained.periods == 0
        account = an_account(now=NOW - 2 * HOUR)
        assert reconciliation_of(run=run, now=NOW).unexplained_first == [f"{account.id} from {TODAY} has no row"]

    def test_rows_that_end_before_the_day_are_not_enough(self) -> None:
        """Three days are due, and only the first has a row."""
        account = an_account(plan=a_plan(interval_unit="day"), rebilling_date=TODAY, now=NOW - 2 * HOUR)
        swept(as_of=TODAY, queue=QueueInHand())
        later = Run.objects.create(as_of=TODAY + 2 * DAY, status="OPEN", started_at=at(TODAY + 2 * DAY))
        Run.objects.filter(id=later.id).update(swept_at=at(TODAY + 2 * DAY))
        later.refresh_from_db()
        found = reconciliation_of(run=later, now=at(TODAY + 2 * DAY))
        assert found.unexplained_first == [f"{account.id} from {TODAY + day * DAY} has no row" for day in (1, 2)]


@rolled_back
class TestFigures:
    def test_of_a_reconciled_run_are_read_and_not_counted(self) -> None:
        an_account()
        run = billed(as_of=TODAY)
        reconcile(runs=[run], now=NOW)
        run.refresh_from_db()
        with CaptureQueriesContext(connection) as asked:
            found = reconciliation_of(run=run, now=NOW)
        assert not asked.captured_queries
        assert (found.due.amount_minor, found.charged.periods, found.payments["succeeded"]) == ({"USD": 1999}, 1, 1)
