"""What is due decides what a day reads, not what exists."""

import datetime
from collections.abc import Callable
from typing import Any

import time_machine
from django.db import connection, connections

from accounts.ids import new_id
from accounts.models import Account
from rebilling.books import database_time, discrepancies
from rebilling.hourly_check import check_hourly
from rebilling.models import BooksCheck, Rebilling, Run
from rebilling.reconciliation.gap_search import search_for_gaps
from tests.builders import TODAY, QueueInHand, a_plan, an_account, at, billed, delivered, many_accounts, swept
from tests.support.api_client import ApiClient
from tests.support.databases import committed

THEIR_DAY = TODAY + datetime.timedelta(days=1)
NEXT = TODAY + datetime.timedelta(days=2)
DUE, OTHERS = 3, 2000
ALL_ARE_READ = "search for gaps"
"""Once after each sweep, on purpose (docs/decisions/0069-gaps-are-searched-once-a-sweep.md)."""


@committed
def test_a_day_reads_no_more_beside_many_accounts_that_are_not_due(settings: Any) -> None:
    settings.VOLUME_CHECK_MULTIPLE = 0
    plan = a_plan()
    alone = _rows_read_on_a_day([an_account(plan=plan) for _ in range(DUE)], today=TODAY)
    many_accounts(OTHERS, plan=plan, today=THEIR_DAY)
    billed(as_of=THEIR_DAY)
    assert check_hourly(queue=QueueInHand(), now=at(THEIR_DAY)).failed == []
    accounts = [an_account(plan=plan, today=NEXT) for _ in range(DUE)]
    beside_others = _rows_read_on_a_day(accounts, today=NEXT)

    more = {step: beside_others[step] - rows for step, rows in alone.items()}
    assert all(alone.values())
    assert more.pop(ALL_ARE_READ) >= OTHERS
    assert {step: rows for step, rows in more.items() if rows > OTHERS / 10} == {}


def _rows_read_on_a_day(accounts: list[Account], *, today: datetime.date) -> dict[str, int]:
    """The rows, or an index's entries of them, that each step reads on a day on which these accounts are due."""
    now, queue = at(today), QueueInHand()
    api = ApiClient()
    _vacuum()
    found = {"sweep": _read(lambda: swept(as_of=today, queue=queue))}
    found[ALL_ARE_READ] = _read(lambda: search_for_gaps(now=now))
    run = Run.objects.get(as_of=today)
    with time_machine.travel(now, tick=False):
        found["run"] = _read(lambda: api.get(f"/v1/runs/{run.id}"))
        found["list of runs"] = _read(lambda: api.get("/v1/runs"))
    _all_books_were_looked_at(now)
    found["hourly check"] = _read(lambda: check_hourly(queue=QueueInHand(), now=now))
    found["worker"] = _read(lambda: delivered(bodies=queue.take(), today=today))
    found["look at the books of what was billed"] = _read(
        lambda: discrepancies(accounts=[account.id for account in accounts])
    )
    assert run.rebillings.filter(status=Rebilling.Status.CHARGED).count() == DUE
    assert check_hourly(queue=QueueInHand(), now=now).failed == []
    return found


def _vacuum() -> None:
    """As autovacuum does. The tables are still too small for an index to be worth its while; yet it must be there."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")


def _all_books_were_looked_at(now: datetime.datetime) -> None:
    """Until after what this test wrote: all of it is new, and would be looked at again."""
    watermark = database_time() + datetime.timedelta(days=1)
    BooksCheck.objects.create(id=new_id(), started_at=now, watermark=watermark, whole=True, discrepancies=0)


def _read(work: Callable[[], object]) -> int:
    before = _read_so_far()
    work()
    return _read_so_far() - before


def _read_so_far() -> int:
    """Of the application's tables, since this session began."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            "SELECT sum(pg_stat_get_tuples_returned(oid)) FROM pg_class "
            "WHERE relkind IN ('r', 'i') AND relnamespace = current_schema()::regnamespace"
        )
        return int(cursor.fetchone()[0])
