"""The search for gaps: all accounts are read, so it is made once after each sweep, and once a day while one is open.

What it finds is kept. A run's page, the list of runs and the hourly check look only at that, and at what is due.
"""

import datetime

from django.db import connection, transaction

from accounts.sql_files import query
from rebilling.models import Run
from rebilling.sweep_lock import may_find_more

INTERVAL = datetime.timedelta(days=1)


def search_for_gaps(*, now: datetime.datetime, whole: bool = False) -> None:
    """Search all accounts, if that is due for a run, or in any case if `whole`; keep what was found, and note that the
    runs were searched for.
    """
    ended = [
        run
        for run in Run.objects.filter(kind=Run.Kind.SWEEP, status=Run.Status.OPEN)
        if not may_find_more(run, now=now)
    ]
    if not whole and all(run.gaps_searched_at and run.gaps_searched_at > now - INTERVAL for run in ended):
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(query(__file__, "gap_suspects"), {"now": now})
        # Another check may have reconciled one of them meanwhile: that one stays as it is.
        still_open = Run.objects.filter(id__in=[run.id for run in ended], status=Run.Status.OPEN)
        still_open.update(gaps_searched_at=now)
