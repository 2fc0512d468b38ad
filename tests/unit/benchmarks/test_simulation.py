"""The simulation of workers, against reason and against what was measured."""

import json
import statistics

import pytest

from benchmarks.publish import PUBLISHED
from benchmarks.simulation import BATCH, COMMITS, Costs, Machine, Provider, rebillings_a_second

MILLISECOND = 0.001
COSTS = Costs(worker=0.1 * MILLISECOND, database=0.2 * MILLISECOND, commit=5 * MILLISECOND)


def published(name: str) -> dict[int, float]:
    """The medians of a curve of docs/performance.json, by workers."""
    curves = json.loads(PUBLISHED.read_text(encoding="utf-8"))["curves"]
    (values,) = [curve["values"] for curve in curves if curve["name"] == name and curve["size"] == "workers"]
    return {int(workers): statistics.median(found) for workers, found in values.items()}


class TestOneWorker:
    def test_takes_the_time_of_each_part(self) -> None:
        seconds = (COSTS.worker + COSTS.database) * BATCH + COSTS.commit * COMMITS

        rate = rebillings_a_second(workers=1, costs=COSTS, machine=Machine(database_cores=1))

        assert rate == pytest.approx(BATCH / seconds)

    def test_works_longer_on_a_share_of_a_processor(self) -> None:
        seconds = (COSTS.worker / 0.5 + COSTS.database) * BATCH + COSTS.commit * COMMITS

        rate = rebillings_a_second(workers=1, costs=COSTS, machine=Machine(database_cores=1, worker_cores=0.5))

        assert rate == pytest.approx(BATCH / seconds)


class TestManyWorkers:
    def test_reach_what_the_processors_have(self) -> None:
        rate = rebillings_a_second(workers=16, costs=COSTS, machine=Machine(database_cores=2))
        assert rate == pytest.approx(2 / (COSTS.worker + COSTS.database), rel=0.02)

    def test_reach_what_the_provider_takes(self) -> None:
        provider = Provider(seconds=0.3, at_once=32, calls_per_second=95)
        rate = rebillings_a_second(workers=4, costs=COSTS, machine=Machine(database_cores=2), provider=provider)
        assert rate == pytest.approx(95, rel=0.02)

    def test_reach_what_they_call_at_once(self) -> None:
        provider = Provider(seconds=0.3, at_once=32, calls_per_second=10_000)
        rate = rebillings_a_second(workers=1, costs=COSTS, machine=Machine(database_cores=2), provider=provider)
        # 500 calls are 16 rounds of 32, the last of which isn't full.
        assert rate == pytest.approx(BATCH / (16 * 0.3), rel=0.05)


def test_predicts_what_was_measured() -> None:
    """Given what a rebilling takes of the processors, and the wait that one worker alone leaves over for the disk."""
    rates = published("rebillings/s")
    of_workers = published("processor time of the workers, a rebilling")
    of_database = published("processor time of the database, a rebilling")
    waiting = 1 / rates[1] - (of_workers[1] + of_database[1]) * MILLISECOND
    for workers, measured in rates.items():
        costs = Costs(
            worker=of_workers[workers] * MILLISECOND,
            database=of_database[workers] * MILLISECOND,
            commit=max(0, waiting) * BATCH / COMMITS,
        )
        predicted = rebillings_a_second(workers=workers, costs=costs, machine=Machine(database_cores=2))
        assert predicted == pytest.approx(measured, rel=0.3)
