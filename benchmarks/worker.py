"""The worker against the limit: hand-written, set-based SQL that writes the same rows in the same commits.

    make bench

Accounts with nothing special, batches of 500, a gateway that answers at once, one connection each. The hand-written
program, too, reads what the gateway would be called with, and writes what it would answer. Rounds are interleaved; the
ratio is the median of theirs, with the spread beside it.
"""

import datetime
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.database import benchmark_database

BATCHES = 8
ROUNDS = 5
BATCH = 500
WANTED = 0.6

Given = TypeVar("Given")


def main() -> None:
    with benchmark_database():
        worker, limit = [], []
        for number in range(ROUNDS + 1):
            # What was never run before is slower: the first round of each is left out.
            ours, theirs = _timed(_message, _worker), _timed(_rows, _limit)
            if number:
                worker.append(ours)
                limit.append(theirs)
        ratios = [ours / theirs for ours, theirs in zip(worker, limit, strict=True)]
        print("rebillings/s          worker   hand-written SQL   ratio (lowest to highest)   wanted")
        print(
            f"{'median of ' + str(ROUNDS) + ' rounds':<20}{statistics.median(worker):>8,.0f}"
            f"{statistics.median(limit):>19,.0f}{statistics.median(ratios):>8.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}){WANTED:>12.2f}"
        )


def _timed(given: Callable[[Sequence[Any]], Given], work: Callable[[Given], None]) -> float:
    """Rebillings a second, for a round of batches made for it; what a sweep makes of them is `given`."""
    from django.db import connection

    batches = [given(_due_batch()) for _ in range(BATCHES)]
    with connection.cursor() as cursor:
        # While nothing is open, as after a night's autovacuum.
        cursor.execute("ANALYZE")
    started = time.perf_counter()
    for batch in batches:
        work(batch)
    return BATCHES * BATCH / (time.perf_counter() - started)


def _due_batch() -> list[Any]:
    """A batch of periods that are DUE, of new accounts that are ACTIVE."""
    from accounts.account_opening import NewAccount, draft_account
    from accounts.models import Account, AccountChange, Terms
    from rebilling.models import Rebilling, Run
    from tests.builders import NOW, TODAY, QueueInHand, a_plan, swept

    plan = a_plan()
    new = NewAccount(
        name="Customer", email="customer@example.com", plan=plan.code, payment_customer="cus_1", payment_method="pm_1"
    )
    drafts = [
        draft_account(new=new, plan=plan, today=TODAY, reason="opened", author="bench", now=NOW) for _ in range(BATCH)
    ]
    for draft in drafts:
        draft.account.status = Account.Status.ACTIVE
    Account.objects.bulk_create(draft.account for draft in drafts)
    Terms.objects.bulk_create(draft.terms for draft in drafts)
    AccountChange.objects.bulk_create(draft.opening(now=NOW) for draft in drafts)
    run = swept(as_of=TODAY, queue=QueueInHand())
    assert run.status == Run.Status.OPEN
    return list(Rebilling.objects.filter(run=run).order_by("account_id"))


class AnswersAtOnce:
    """The gateway that the payments are recorded for, without a log line for each."""

    name = "logging"

    def submit(self, request: Any, *, timeout_seconds: float) -> Any:
        from payments.gateways.port import Succeeded

        return Succeeded.of(request, reference=f"logged-{request.key}")

    def look_up(self, request: Any, *, timeout_seconds: float) -> Any:
        raise NotImplementedError

    open_session = look_up_session = end_session = look_up


def _message(rebillings: Sequence[Any]) -> str:
    from tests.builders import a_message

    return a_message(run=rebillings[0].run, rebillings=rebillings)


def _worker(body: str) -> None:
    from tests.builders import delivered

    assert delivered(bodies=[body], gateway=AnswersAtOnce()) == []


def _rows(rebillings: Sequence[Any]) -> str:
    return "{" + ",".join(str(row.account_id) for row in rebillings) + "}"


def _limit(accounts: str) -> None:
    from django.db import connection, transaction

    from tests.builders import NOW, TODAY

    given: dict[str, Any] = {
        "accounts": accounts,
        "today": TODAY,
        "now": NOW,
        "until": NOW + datetime.timedelta(seconds=120),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_sql("charge"), given)
        given["payments"] = "{" + ",".join(str(id_) for (id_,) in cursor.fetchall()) + "}"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_sql("lease"), given)
        requests = cursor.fetchall()
    given["payments"] = "{" + ",".join([key for key, *_ in requests]) + "}"
    given["references"] = "{" + ",".join([f"logged-{key}" for key, *_ in requests]) + "}"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_sql("record"), given)


def _sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
