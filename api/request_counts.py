"""Counts of requests by subject, in windows of fixed length: one statement, which locks their own rows alone."""

import datetime
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext

from django.db import InternalError, connection, transaction

from accounts.array_literals import text_array
from accounts.database_errors import sqlstate_of
from accounts.sql_files import query

READ_ONLY = "25006"


def count_request(subjects: Collection[str], *, window: datetime.timedelta, now: datetime.datetime) -> dict[str, int]:
    """Count one request for each subject. Returns how many each has in this window, the request included.

    Empty while the database is read-only: a request that can't be counted isn't refused for it.
    """
    start = now - datetime.timedelta(seconds=now.timestamp() % window.total_seconds())
    try:
        with _kept_whole(), connection.cursor() as cursor:
            cursor.execute(query(__file__, "count_request"), {"subjects": text_array(subjects), "start": start})
            return dict(cursor.fetchall())
    except InternalError as error:
        if sqlstate_of(error) != READ_ONLY:
            raise
        return {}


def _kept_whole() -> AbstractContextManager[object]:
    """The statement is a transaction of its own. Within another, as in tests, a savepoint keeps its error from that."""
    return transaction.atomic() if connection.in_atomic_block else nullcontext()


def seconds_left(*, window: datetime.timedelta, now: datetime.datetime) -> int:
    """Seconds until the window ends, rounded up: at least 1."""
    length = int(window.total_seconds())
    return length - int(now.timestamp()) % length
