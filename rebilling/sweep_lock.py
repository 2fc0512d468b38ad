"""The sweep lock: an advisory lock that a sweep's database session holds while it runs.

The lock and the writes share one connection. While the lock is held, the sweep may write more rows; once it is free,
the sweep has ended or was cut off, and can't write any more. No clock could tell that.
"""

import datetime
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from rebilling.models import Run

_NUMBER = "hashtextextended('sweep:' || %s, 0)"


@contextmanager
def hold_sweep_lock(run_id: uuid.UUID) -> Iterator[None]:
    """Hold the lock of this run's sweep during the block. Take it before others can see the run."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock({_NUMBER})", [str(run_id)])
    try:
        yield
    finally:
        # A broken connection has already lost the lock with its session.
        with suppress(InterfaceError, OperationalError), connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_advisory_unlock({_NUMBER})", [str(run_id)])


def is_sweeping(run_id: uuid.UUID) -> bool:
    """Whether a sweep of this run is running in another session.

    It tries a shared lock, so that two callers don't take each other for the sweep. That lock lasts until the caller's
    transaction ends.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT NOT pg_try_advisory_xact_lock_shared({_NUMBER})", [str(run_id)])
        return bool(cursor.fetchone()[0])


def may_find_more(run: Run, *, now: datetime.datetime) -> bool:
    """Whether the run's sweep is running, or was cut off only recently, so that another may make up for it."""
    soon = now < run.started_at + datetime.timedelta(minutes=settings.REBILLING_DUE_MINUTES)
    return run.swept_at is None and (soon or is_sweeping(run.id))
