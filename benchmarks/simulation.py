"""A simulation of workers that bill: how many rebillings a second there are, by what each takes of the processors, of
the disk and of the provider. docs/scale.md goes by it, and a test holds it against what was measured.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import simpy

BATCH = 500
COMMITS = 3
"""Of a batch: its invoices, its calls to the gateway, their outcomes."""
_SLICE = 0.005
"""Seconds for which a processor works on one batch before it turns to another that waits."""
_BATCHES = 40
"""That are billed, for each worker: the first and last, when not all have work, weigh little."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Seconds: of a rebilling those of the processors, of a commit the wait for the disk."""

    worker: float
    database: float
    commit: float


@dataclass(frozen=True, kw_only=True)
class Provider:
    """Seconds a call, the calls that one worker makes at once, and those that all workers together make a second."""

    seconds: float
    at_once: int
    calls_per_second: float


@dataclass(frozen=True, kw_only=True)
class Machine:
    """`worker_cores` are a worker's share of a processor where it has one of its own, as a function has; None where all
    share the database's.
    """

    database_cores: int
    worker_cores: float | None = None


def rebillings_a_second(*, workers: int, costs: Costs, machine: Machine, provider: Provider | None = None) -> float:
    """What so many workers reach together, with batches waiting for them all the time."""
    billing = _Billing(costs, machine, provider)
    for _ in range(workers):
        billing.world.process(billing.worker())
    billing.world.run()
    return workers * _BATCHES * BATCH / float(billing.world.now)


class _Billing:
    """Workers and what they share: the database's processors, and the rate of calls."""

    def __init__(self, costs: Costs, machine: Machine, provider: Provider | None) -> None:
        self.world = simpy.Environment()
        self._cores = simpy.Resource(self.world, capacity=machine.database_cores)
        self._costs, self._machine, self._provider = costs, machine, provider
        self._next_call = 0.0

    def worker(self) -> Generator[Any, Any, None]:
        of_database, of_worker = (seconds * BATCH / COMMITS for seconds in (self._costs.database, self._costs.worker))
        for _ in range(_BATCHES):
            for part in range(COMMITS):
                yield from self._processors(of_database)
                if self._machine.worker_cores is None:
                    yield from self._processors(of_worker)
                else:
                    yield self.world.timeout(of_worker / self._machine.worker_cores)
                yield self.world.timeout(self._costs.commit)
                if self._provider and part == 1:
                    yield from self._calls(self._provider)

    def _processors(self, seconds: float) -> Generator[Any, Any, None]:
        while seconds > 0:
            with self._cores.request() as turn:
                yield turn
                yield self.world.timeout(min(seconds, _SLICE))
            seconds -= _SLICE

    def _calls(self, provider: Provider) -> Generator[Any, Any, None]:
        at_once = simpy.Resource(self.world, capacity=provider.at_once)
        yield simpy.AllOf(self.world, [self.world.process(self._call(provider, at_once)) for _ in range(BATCH)])

    def _call(self, provider: Provider, at_once: simpy.Resource) -> Generator[Any, Any, None]:
        with at_once.request() as line:
            yield line
            # One after the other, evenly, as the rate that all workers share lets them.
            begins = max(self._next_call, float(self.world.now))
            self._next_call = begins + 1 / provider.calls_per_second
            yield self.world.timeout(begins - float(self.world.now) + provider.seconds)
