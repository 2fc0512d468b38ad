"""The worker against the limit: hand-written, set-based SQL that writes the same rows in the same commits.

    python -m benchmarks worker

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

from benchmarks.database import analyze, benchmark_database
from benchmarks.due_batches import BATCH, AnswersAtOnce, due_batch, message_of
from benchmarks.figures import at_least, ratios_of, report

BATCHES = 8
ROUNDS = 5
WANTED = 0.65

Given = TypeVar("Given")


def main() -> None:
    with benchmark_database():
        worker, limit = [], []
        for number in range(ROUNDS + 1):
            # What was never run before is slower: the first round of each is left out.
            ours, theirs = rebillings_a_second()
            if number:
                worker.append(ours)
                limit.append(theirs)
        ratios = ratios_of(worker, limit)
        print(
            f"rebillings/s, medians of {ROUNDS} rounds: worker {statistics.median(worker):,.0f}, hand-written SQL "
            f"{statistics.median(limit):,.0f}"
        )
        report("worker", [at_least("worker, rebillings/s: of hand-written SQL", ratios, WANTED)])


def rebillings_a_second() -> tuple[float, float]:
    """One round of each: the worker's, and that of the hand-written SQL."""
    return _timed(message_of, _worker), _timed(_rows, _limit)


def _timed(given: Callable[[Sequence[Any]], Given], work: Callable[[Given], None]) -> float:
    """Rebillings a second, for a round of batches made for it; what a sweep makes of them is `given`."""
    batches = [given(due_batch()) for _ in range(BATCHES)]
    # While nothing is open.
    analyze()
    started = time.perf_counter()
    for batch in batches:
        work(batch)
    return BATCHES * BATCH / (time.perf_counter() - started)


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
