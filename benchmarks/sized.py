"""Databases of different sizes side by side: each in a process of its own, which works on it when it is asked to."""

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, Self, TypeVar

from benchmarks.database import benchmark_database
from benchmarks.population import populate

_SPAWN = multiprocessing.get_context("spawn")

Found = TypeVar("Found")


class SizedDatabase:
    """A database of so many accounts, of which `due[n]` are due n days after TODAY.

    It is made in the background; the first answer waits for it. Use it as a context manager.
    """

    def __init__(self, *, accounts: int, due: Sequence[int], months: int) -> None:
        self.accounts = accounts
        ours, theirs = _SPAWN.Pipe()
        self._pipe: Connection = ours
        others = accounts - sum(due)
        if others < 0:
            raise ValueError(f"{sum(due)} accounts are to be due, of {accounts}")
        self._process = _SPAWN.Process(target=_serve, args=(theirs, [*due], others, months))
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join()

    def ask(self, work: Callable[..., Found], *given: Any) -> Found:
        """What `work`, a function of a module, returns there. Raises EOFError when it failed: it printed why."""
        self._pipe.send((work, given))
        found: Found = self._pipe.recv()
        return found


def _serve(pipe: Connection, due: Sequence[int], others: int, months: int) -> None:
    with benchmark_database():
        populate(due=due, others=others, months=months)
        while True:
            try:
                work, given = pipe.recv()
            except EOFError:
                return
            pipe.send(work(*given))
