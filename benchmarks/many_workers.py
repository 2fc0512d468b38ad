"""Several workers on one database, each with a connection of its own, against one alone.

    python -m benchmarks many_workers

The database shares the cores with them: past two workers on two cores, more can't be faster, and must not be slower.
What a rebilling takes of each resource is measured with it; docs/scale.md goes by that.
"""

import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.database import benchmark_database, processor_seconds, superuser, vacuum
from benchmarks.due_batches import BATCH, AnswersAtOnce, due_batch, message_of
from benchmarks.figures import Curve, at_least, ratios_of, report, report_curves
from benchmarks.processes import FORK, fork, wait_for_all

WORKERS = (1, 2, 4, 8)
BATCHES = 8
ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Rebillings:
    """What a round took: rebillings a second, and a rebilling's milliseconds of the processors and KiB of write-ahead
    log.
    """

    rate: float
    worker: float
    database: float
    log: float


def main() -> None:
    with benchmark_database():
        rounds: dict[int, list[Rebillings]] = defaultdict(list)
        for number in range(ROUNDS + 1):
            for workers in WORKERS:
                measured = _round(workers)
                # What was never run before is slower: the first round is left out.
                if number:
                    rounds[workers].append(measured)
        if deadlocks := _deadlocks():
            raise RuntimeError(f"{deadlocks} deadlocks")
    rates = {workers: [measured.rate for measured in found] for workers, found in rounds.items()}
    report(
        "many_workers",
        [
            at_least("two workers, rebillings/s: of one", ratios_of(rates[2], rates[1]), 1.4),
            at_least("four workers, rebillings/s: of two", ratios_of(rates[4], rates[2]), 0.95),
            at_least("eight workers, rebillings/s: of two", ratios_of(rates[8], rates[2]), 0.95),
        ],
    )
    named = {
        "rate": ("rebillings/s", "1/s"),
        "worker": ("processor time of the workers, a rebilling", "ms"),
        "database": ("processor time of the database, a rebilling", "ms"),
        "log": ("write-ahead log, a rebilling", "KiB"),
    }
    curves = [
        Curve(name, "workers", unit, {at: [asdict(measured)[field] for measured in rounds[at]] for at in WORKERS})
        for field, (name, unit) in named.items()
    ]
    report_curves("many_workers", curves)


def _round(workers: int) -> Rebillings:
    bodies, spent = FORK.Queue(), FORK.Queue()
    for _ in range(BATCHES):
        bodies.put(message_of(due_batch()))
    for _ in range(workers):
        bodies.put(None)
    # While nothing is open.
    vacuum()
    ready = FORK.Barrier(workers + 1)
    processes = [fork(_work, bodies, spent, ready) for _ in range(workers)]
    database, log = processor_seconds(), _log_position()
    ready.wait()
    started = time.perf_counter()
    seconds_of_workers = sum(spent.get() for _ in range(workers))
    seconds = time.perf_counter() - started
    wait_for_all(processes)
    rebillings = BATCHES * BATCH
    return Rebillings(
        rate=rebillings / seconds,
        worker=1000 * seconds_of_workers / rebillings,
        database=1000 * (processor_seconds() - database) / rebillings,
        log=(_log_position() - log) / 1024 / rebillings,
    )


def _work(bodies: Any, spent: Any, ready: Any) -> None:
    from django.db import connection

    from tests.builders import delivered

    connection.ensure_connection()
    ready.wait()
    before = time.process_time()
    while body := bodies.get():
        # None fails: a deadlock or a failed serialization would be one.
        assert delivered(bodies=[body], gateway=AnswersAtOnce()) == []
    spent.put(time.process_time() - before)


def _log_position() -> int:
    """In bytes."""
    with superuser() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        return int(cursor.fetchone()[0])


def _deadlocks() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


if __name__ == "__main__":
    main()
