"""Sending what is DUE to the worker, in batches. An account's due periods travel together and in order."""

import datetime
from collections.abc import Iterator
from itertools import groupby

from payments.messages.format import MAX_ITEMS
from payments.messages.queue import Queue
from rebilling.messages.message import PeriodItem, PeriodsMessage
from rebilling.models import Rebilling, Run

_CHUNK_ROWS = 2000


def send_due(*, run: Run, queue: Queue, due_before: datetime.datetime | None = None) -> int:
    """Send every period that is DUE, whichever run wrote it; with `due_before`, of accounts with one DUE since then.

    Sending again is harmless: the row makes the charge happen once. Periods of runs that didn't pass the volume check
    stay. `run` names the run in the messages; its `as_of` isn't before any period sent. Returns the number of messages.
    Raises `UnableToSend`.
    """
    return queue.send(_messages(run=run, due_before=due_before))


def _messages(*, run: Run, due_before: datetime.datetime | None) -> Iterator[PeriodsMessage]:
    batch: list[PeriodItem] = []
    for items in _items_by_account(run=run, due_before=due_before):
        if len(batch) + len(items) > MAX_ITEMS:
            yield PeriodsMessage(run_id=run.id, as_of=run.as_of, periods=tuple(batch))
            batch = []
        batch += items
    if batch:
        yield PeriodsMessage(run_id=run.id, as_of=run.as_of, periods=tuple(batch))


def _items_by_account(*, run: Run, due_before: datetime.datetime | None) -> Iterator[list[PeriodItem]]:
    due = Rebilling.objects.filter(
        status=Rebilling.Status.DUE, period_start__lte=run.as_of, run__passed_at__isnull=False
    )
    if due_before is not None:
        due = due.filter(account__in=due.filter(due_since__lt=due_before).values("account"))
    rows = due.order_by("account_id", "period_start").values_list("id", "account_id", "period_start")
    for _, group in groupby(rows.iterator(chunk_size=_CHUNK_ROWS), key=lambda row: row[1]):
        # Never more than a batch holds: a sweep parks an account with more than 36 due periods.
        yield [PeriodItem(*row) for row in group][:MAX_ITEMS]
