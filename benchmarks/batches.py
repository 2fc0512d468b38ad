"""What a batch saves: time and statements for each period, by the batch's size, to charge, collect and record outcomes.

    python -m benchmarks batches

Prints ratios within one run; seconds say more about the machine than about the code. Runs on an embedded PostgreSQL of
its own, made for the run and removed after it, with the gateway that only logs.
"""

import resource
import time
from typing import Any

from benchmarks.database import benchmark_database
from benchmarks.figures import at_most, report

PERIODS = 1000
SIZES = (1, 10, 100, 500)


def main() -> None:
    with benchmark_database():
        # First, while nothing else has raised the peak.
        memory = _memory_of_sweeps()
        statements = _statements_of_batches()
        report(
            "batches",
            [
                at_most("memory of a sweep of 20,000 accounts: of one of 2,000", [memory], 1.2),
                at_most("statements of a batch of 500: of a batch of 1", [statements], 1),
            ],
        )


def _statements_of_batches() -> float:
    """Those of the largest batch against those of the smallest, of clean ones."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from rebilling.models import Rebilling
    from tests.builders import TODAY, QueueInHand, a_message, a_plan, an_account, delivered, swept

    figures: dict[int, tuple[float, int]] = {}
    for size in SIZES:
        plan = a_plan()
        for _ in range(PERIODS):
            an_account(plan=plan)
        run = swept(as_of=TODAY, queue=QueueInHand())
        rows = list(Rebilling.objects.filter(run=run).order_by("account_id"))
        bodies = [a_message(run=run, rebillings=rows[at : at + size]) for at in range(0, PERIODS, size)]
        with CaptureQueriesContext(connection) as captured:
            assert delivered(bodies=bodies[:1]) == []
        started = time.perf_counter()
        assert delivered(bodies=bodies[1:]) == []
        figures[size] = ((time.perf_counter() - started) / (PERIODS - size), len(captured))
    largest = figures[SIZES[-1]][0]
    print("periods a batch   statements a batch   time a period, against a batch of 500")
    for size, (seconds, statements) in figures.items():
        print(f"{size:>14}   {statements:>17}   {seconds / largest:>8.1f}")
    return figures[SIZES[-1]][1] / figures[SIZES[0]][1]


def _memory_of_sweeps() -> float:
    """The peak of a sweep of ten times as many accounts, against the smaller one's."""
    from tests.builders import TODAY, QueueInHand, a_plan, many_accounts, swept

    class Nowhere(QueueInHand):
        def send(self, messages: Any) -> int:
            return sum(1 for _ in messages)

    peaks = []
    for accounts in (2_000, 20_000):
        plan = a_plan()
        for _ in range(accounts // 1000):
            many_accounts(1000, plan=plan)
        swept(as_of=TODAY, queue=Nowhere())
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return float(peaks[1] / peaks[0])


if __name__ == "__main__":
    main()
