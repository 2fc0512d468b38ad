"""Whether a sweep is still at work: while it is, its database session holds an advisory lock.

The lock and the writing share one connection. While the lock is held the sweep may write more rows; once it is gone,
the sweep has ended or was cut off for good, and can write nothing more. No clock could tell that.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import InterfaceError, OperationalError, connection

_NUMBER = "hashtextextended('sweep:' || %s, 0)"


@contextmanager
def at_work(run_id: uuid.UUID) -> Iterator[None]:
    """Hold the lock of this run's sweep while the block runs. Take it before the run can be seen."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock({_NUMBER})", [str(run_id)])
    try:
        yield
    finally:
        # A connection that is broken has lost the lock with its session.
        with suppress(InterfaceError, OperationalError), connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_advisory_unlock({_NUMBER})", [str(run_id)])


def is_at_work(run_id: uuid.UUID) -> bool:
    """Whether another session's sweep of this run is at work.

    Asked by a shared lock, so that two who ask at once don't take each other for the sweep. It lasts as long as the
    caller's transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT NOT pg_try_advisory_xact_lock_shared({_NUMBER})", [str(run_id)])
        return bool(cursor.fetchone()[0])
