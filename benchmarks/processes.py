"""Several processes on one database: forked from the one that set Django up and made what they work on."""

import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any

FORK = multiprocessing.get_context("fork")


def fork(work: Callable[..., None], *given: Any) -> Any:
    """Starts a process that runs `work`. Connections aren't shared: each process opens its own."""
    from django.db import connections

    connections.close_all()
    process = FORK.Process(target=work, args=given, daemon=True)
    process.start()
    return process


def wait_for_all(processes: Sequence[Any]) -> None:
    """Raises RuntimeError where one failed."""
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("a process of the benchmark failed")
