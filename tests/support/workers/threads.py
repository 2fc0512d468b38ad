"""Threads with database connections of their own, held where a test wants them."""

import pkgutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar
from unittest import mock

from django.db import connection, connections

from payments.gateways.port import Outcome, PaymentRequest, Succeeded
from tests.support.gateways import OnlyCollects
from tests.support.workers.waiting import PATIENCE_SECONDS, wait_until

T = TypeVar("T")


class Start(Protocol):
    """Starts an operation in a thread of its own."""

    def __call__(self, operation: Callable[[], T], /) -> Future[T]: ...


@contextmanager
def threads() -> Iterator[Start]:
    """Threads for the length of the block; it ends when all of them have."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        yield lambda operation: pool.submit(apart, operation)


def apart(operation: Callable[[], T]) -> T:
    """Runs the operation on a connection of this thread's own, and closes it."""
    try:
        return operation()
    finally:
        connections.close_all()


class Gate:
    """Holds whoever comes to it until it is opened, and tells when somebody has come."""

    def __init__(self) -> None:
        self._came = threading.Event()
        self._opened = threading.Event()

    def pass_through(self) -> None:
        self._came.set()
        assert self._opened.wait(PATIENCE_SECONDS), "the gate was never opened"

    def wait_for_somebody(self) -> None:
        assert self._came.wait(PATIENCE_SECONDS), "nobody came to the gate"

    def open(self) -> None:
        self._opened.set()


class GatedGateway(OnlyCollects):
    """The scripted gateway, but that it holds each request at its gate, and answers when it is opened."""

    name = "logging"

    def __init__(self, *, gate: Gate, answer: Outcome | None = None) -> None:
        self.gate = gate
        self.requests: list[PaymentRequest] = []
        self._answer = answer

    def collect(self, request: PaymentRequest) -> Outcome:
        self.requests.append(request)
        self.gate.pass_through()
        return self._answer or Succeeded.of(request, reference=f"taken-{request.payment_id}")


@contextmanager
def all_meet_before(target: str, *, parties: int) -> Iterator[None]:
    """So many threads wait for each other before the first call that each makes of a function."""
    barrier = threading.Barrier(parties, timeout=PATIENCE_SECONDS)
    met = threading.local()

    def meet(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not getattr(met, "already", False):
            met.already = True
            barrier.wait()
        return original(*args, **kwargs)

    with wrapped(target, meet):
        yield


@contextmanager
def wrapped(target: str, around: Callable[..., Any]) -> Iterator[None]:
    """While the block runs, calls of the function go to `around`, with the function itself before its arguments."""
    original = pkgutil.resolve_name(target)
    with mock.patch(target, lambda *args, **kwargs: around(original, *args, **kwargs)):
        yield


def wait_until_blocked(*, sessions: int = 1) -> None:
    """Until so many sessions of this database wait for a lock of another."""
    wait_until(lambda: _blocked() >= sessions)


def _blocked() -> int:
    with connection.cursor() as cursor:
        # Within a transaction the first look would be kept for all later ones.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        (count,) = cursor.fetchone()
    return int(count)
