"""Whether a sweep is still at work: while it is, its database session holds an advisory lock.

The lock and the writing share one connection. While the lock is held the sweep may write more rows; once it is gone,
the sweep has ended or was cut off for good, and can write nothing more. No clock could tell that.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import Error, connection

_NUMBER = "hashtextextended('sweep:' || %s, 0)"


@contextmanager
def at_work(run_id: uuid.UUID) -> Iterator[None]:
    """Hold the lock of this run's sweep while the block runs. Take it before the run can be seen."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock({_NUMBER})", [str(run_id)])
    try:
        yield
    finally:
        # Refused only where the connection is broken or its transaction is, and then the lock goes with it.
        with suppress(Error), connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_advisory_unlock({_NUMBER})", [str(run_id)])


def is_at_work(run_id: uuid.UUID) -> bool:
    """Whether another session's sweep of this run is at work. In a transaction, at whose end nothing is left locked."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT NOT pg_try_advisory_xact_lock({_NUMBER})", [str(run_id)])
        return bool(cursor.fetchone()[0])
