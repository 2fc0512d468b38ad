"""The daily run: pending changes are carried out, then what is due is found and sent."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager

from accounts.billing_day import billing_day
from accounts.previews import preview
from payments.messages.queue import Queue
from rebilling.models import Run
from rebilling.sweep import check_not_in_future, sweep
from subscriptions.due_changes import apply_due_changes


def run_day(*, as_of: datetime.date, queue: Queue, now: datetime.datetime) -> Run:
    """Close, pause and resume the accounts whose day has come by `as_of`, and sweep. Returns the sweep's run.

    Raises as `rebilling.sweep.sweep`.
    """
    check_not_in_future(as_of=as_of, now=now)
    apply_due_changes(as_of=as_of, today=billing_day(now), now=now)
    return sweep(as_of=as_of, queue=queue, now=now)


@contextmanager
def preview_day(*, as_of: datetime.date, now: datetime.datetime) -> Iterator[None]:
    """While the block runs it sees the accounts as `run_day` would sweep them. Nothing of that is kept; till then the
    accounts that would change are locked.
    """
    with preview():
        apply_due_changes(as_of=as_of, today=billing_day(now), now=now)
        yield
