"""Several processes on one database: forked from the one that set Django up and made what they work on."""

import multiprocessing
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
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


@dataclass(frozen=True, slots=True)
class Work:
    """What a process took: seconds, and at most so many MiB of memory."""

    seconds: float
    peak: float


def measured_apart(work: Callable[..., float], *given: Any) -> Work:
    """Has a process of its own do the work, which returns its seconds. Raises RuntimeError where it failed."""
    ours, theirs = FORK.Pipe(duplex=False)
    process = fork(_measured, theirs, work, given)
    theirs.close()
    try:
        found: Work = ours.recv()
    except EOFError:
        raise RuntimeError("a process of the benchmark failed") from None
    wait_for_all([process])
    return found


def _measured(pipe: Connection, work: Callable[..., float], given: Sequence[Any]) -> None:
    from django.db import connection

    connection.ensure_connection()
    seconds = work(*given)
    pipe.send(Work(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
