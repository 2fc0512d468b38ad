"""The worker against the limit: hand-written, set-based SQL that writes the same rows in the same commits.

    python -m benchmarks worker

Batches of 500, a gateway that answers at once, one connection each. The accounts have nothing special; the worker also
bills some that have a discount, tax, a one-off item and credit each, beside the same hand-written SQL. The hand-written
program, too, reads what the gateway would be called with, and writes what it would answer. Rounds are interleaved; the
ratio is the median of theirs, with the spread beside it.
"""

import datetime
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.database import benchmark_database, vacuum
from benchmarks.due_batches import BATCH, AnswersAtOnce, due_batch, message_of, special_batch
from benchmarks.figures import at_least, ratios_of, report

BATCHES, SPECIAL_BATCHES = 8, 3
ROUNDS = 5

Given = TypeVar("Given")


def main() -> None:
    with benchmark_database():
        worker, special, limit = [], [], []
        for number in range(ROUNDS + 1):
            ours, theirs = rebillings_a_second()
            with_all = _timed(special_batch, message_of, _worker, batches=SPECIAL_BATCHES)
            # What was never run before is slower: the first round of each is left out.
            if number:
                worker.append(ours)
                special.append(with_all)
                limit.append(theirs)
        print(
            f"rebillings/s, medians of {ROUNDS} rounds: worker {statistics.median(worker):,.0f}, with all that is "
            f"special {statistics.median(special):,.0f}, hand-written SQL {statistics.median(limit):,.0f}"
        )
        report(
            "worker",
            [
                at_least("worker, rebillings/s: of hand-written SQL", ratios_of(worker, limit), 0.65),
                at_least(
                    "worker, with discount, tax, item and credit: of hand-written SQL without",
                    ratios_of(special, limit),
                    0.4,
                ),
            ],
        )


def rebillings_a_second() -> tuple[float, float]:
    """One round of each: the worker's, and that of the hand-written SQL."""
    return _timed(due_batch, message_of, _worker), _timed(due_batch, _rows, _limit)


def _timed(
    made: Callable[[], Sequence[Any]],
    given: Callable[[Sequence[Any]], Given],
    work: Callable[[Given], None],
    *,
    batches: int = BATCHES,
) -> float:
    """Rebillings a second, for a round of batches made for it; what a sweep makes of them is `given`."""
    found = [given(made()) for _ in range(batches)]
    # While nothing is open.
    vacuum()
    started = time.perf_counter()
    for batch in found:
        work(batch)
    return batches * BATCH / (time.perf_counter() - started)


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
        requests = cursor.fetchall()
    given["payments"] = "{" + ",".join([key for key, *_ in requests]) + "}"
    given["references"] = "{" + ",".join([f"logged-{key}" for key, *_ in requests]) + "}"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_sql("record"), given)


def _sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
