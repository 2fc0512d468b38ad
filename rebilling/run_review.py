"""Decisions about a run that the volume check holds: a person releases or cancels it."""

import datetime
import logging
import uuid
from functools import partial

from django.db import transaction

from accounts.errors import Conflict, Missing
from accounts.models import Account
from accounts.reasons import checked_reason, signed
from payments.dunning_steps import send_dunning
from payments.messages.queue import Queue
from rebilling.locked_runs import LockedAccountIds, LockedRun, lock_accounts_of_periods, lock_runs
from rebilling.messages.dispatch import send_due
from rebilling.models import WAITING, Rebilling, Run
from rebilling.period_states import cancel_periods
from rebilling.run_states import cancel, release
from rebilling.sweep_lock import is_sweeping

logger = logging.getLogger(__name__)


class UnknownRun(Missing):
    code = "unknown-run"


class NotHeld(Conflict):
    code = "run-not-held"


class StillSweeping(Conflict):
    code = "run-still-sweeping"
    passing = True


def release_run(*, run_id: uuid.UUID, reason: str, author: str, now: datetime.datetime, queue: Queue) -> Run:
    """Release a HELD run: it is OPEN, and is sent once this is committed; a sweep's with the dunning steps of the day.

    The hourly check sends what the queue doesn't take then. Raises `UnknownRun`, `NotHeld`, `StillSweeping` and
    `InvalidReason`.
    """
    with transaction.atomic():
        run, _ = _lock_held_run(run_id, reason=reason, author=author, now=now)
        release(run, now=now)
        run.rebillings.filter(status=Rebilling.Status.DUE).update(due_since=now)
        transaction.on_commit(partial(_send, run, queue, now))
    return run


def cancel_run(*, run_id: uuid.UUID, reason: str, author: str, now: datetime.datetime) -> Run:
    """Cancel a HELD run: nothing of it is charged, and the next sweep finds again what is due then.

    Its DUE and PARKED periods are SKIPPED; their accounts' rebilling dates don't change. Later periods of these
    accounts that another sweep wrote meanwhile are SKIPPED too: they can't be charged before the earlier ones. Raises
    as `release_run`.
    """
    with transaction.atomic():
        run, accounts = _lock_held_run(run_id, reason=reason, author=author, now=now)
        cancel(run)
        waiting = run.rebillings.filter(status__in=WAITING)
        cancel_periods(waiting, accounts=accounts, detail=run.decision)
    return run


def _lock_held_run(
    run_id: uuid.UUID, *, reason: str, author: str, now: datetime.datetime
) -> tuple[LockedRun, LockedAccountIds]:
    """The run, locked, with the decision set but not saved; and its accounts.

    Its accounts are locked before it, as by every operation that needs both. Sweeps ignored them until now; from here
    on they are billed again.
    """
    decision = signed(checked_reason(reason), author)
    periods = Rebilling.objects.filter(run_id=run_id)
    accounts = lock_accounts_of_periods(periods)
    runs = lock_runs(Run.objects.filter(id=run_id))
    if not runs:
        raise UnknownRun(f"There is no run {run_id}.")
    (run,) = runs
    if run.status != Run.Status.HELD:
        raise NotHeld(f"The run is {run.status}, not HELD.")
    check_sweep_ended(run)
    Account.objects.filter(id__in=periods.values("account_id")).update(billing_since=now)
    run.decided_at, run.decision = now, decision
    return run, accounts


def check_sweep_ended(run: Run) -> None:
    """Raise `StillSweeping` while the run's sweep is running: the decision wouldn't cover the rows it still writes."""
    if is_sweeping(run.id):
        raise StillSweeping("The run's sweep is still running. Try again when it has ended.")


def _send(run: Run, queue: Queue, now: datetime.datetime) -> None:
    """The release is committed and stands, whatever the queue answers; what isn't sent is sent within the hour."""
    try:
        send_due(run=run, queue=queue)
        if not run.is_on_demand:
            send_dunning(queue=queue, now=now)
    except Exception:
        logger.exception(
            "a released run was not sent; the hourly check sends it",
            extra={"event": "run.released_unsent", "run": str(run.id)},
        )
