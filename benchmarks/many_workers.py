"""Several workers on one database, each with a connection of its own, against one alone.

    python -m benchmarks many_workers

The database shares the cores with them: past two workers on two cores, more can't be faster, and must not be slower.
"""

import time
from collections import defaultdict
from typing import Any

from benchmarks.database import benchmark_database, vacuum
from benchmarks.due_batches import BATCH, AnswersAtOnce, due_batch, message_of
from benchmarks.figures import at_least, ratios_of, report
from benchmarks.processes import FORK, fork, wait_for_all

WORKERS = (1, 2, 4, 8)
BATCHES = 8
ROUNDS = 5


def main() -> None:
    with benchmark_database():
        rates: dict[int, list[float]] = defaultdict(list)
        for number in range(ROUNDS + 1):
            for workers in WORKERS:
                rate = _rebillings_a_second(workers)
                # What was never run before is slower: the first round is left out.
                if number:
                    rates[workers].append(rate)
        if deadlocks := _deadlocks():
            raise RuntimeError(f"{deadlocks} deadlocks")
        for workers in WORKERS:
            print(f"{workers} workers: {sorted(rates[workers])[ROUNDS // 2]:,.0f} rebillings/s")
        report(
            "many_workers",
            [
                at_least("two workers, rebillings/s: of one", ratios_of(rates[2], rates[1]), 1.4),
                at_least("four workers, rebillings/s: of two", ratios_of(rates[4], rates[2]), 0.95),
                at_least("eight workers, rebillings/s: of two", ratios_of(rates[8], rates[2]), 0.95),
            ],
        )


def _rebillings_a_second(workers: int) -> float:
    bodies: Any = FORK.Queue()
    for _ in range(BATCHES):
        bodies.put(message_of(due_batch()))
    for _ in range(workers):
        bodies.put(None)
    # While nothing is open.
    vacuum()
    ready = FORK.Barrier(workers + 1)
    processes = [fork(_work, bodies, ready) for _ in range(workers)]
    ready.wait()
    started = time.perf_counter()
    wait_for_all(processes)
    return BATCHES * BATCH / (time.perf_counter() - started)


def _work(bodies: Any, ready: Any) -> None:
    from django.db import connection

    from tests.builders import delivered

    connection.ensure_connection()
    ready.wait()
    while body := bodies.get():
        # None fails: a deadlock or a failed serialization would be one.
        assert delivered(bodies=[body], gateway=AnswersAtOnce()) == []


def _deadlocks() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


if __name__ == "__main__":
    main()
