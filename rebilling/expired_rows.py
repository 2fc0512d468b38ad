"""Rows that nobody needs any more: sessions that ended, and counts of requests whose window is over.

The worker runs the hourly check without the interfaces' apps (`INSTALLED_APPS`), so their tables are named in SQL.
"""

import datetime

from django.db import connection

from accounts.sql_files import query

COUNTS_KEPT = datetime.timedelta(hours=1)
"""Longer than any window."""


def delete_expired_rows(*, now: datetime.datetime) -> int:
    """Delete them; returns how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(query(__file__, "delete_expired_rows"), {"counts_before": now - COUNTS_KEPT})
        (deleted,) = cursor.fetchone()
    return int(deleted)
