"""What people do about a run that the brake holds: let it be sent after all, or cancel it."""

import datetime
import logging
import uuid
from functools import partial

from django.db import transaction

from accounts.models import Account
from accounts.refusals import Conflict, Missing
from rebilling.dispatch import send_due, send_retries
from rebilling.models import Rebilling, Run
from rebilling.queue import Queue
from rebilling.reasons import checked_reason, signed
from rebilling.setting_aside import give_up
from rebilling.sweep_lock import is_at_work

logger = logging.getLogger(__name__)


class UnknownRun(Missing):
    code = "unknown-run"


class NotHeld(Conflict):
    code = "run-not-held"


class StillSwept(Conflict):
    code = "run-still-swept"
    passing = True


def release_run(*, run_id: uuid.UUID, reason: str, author: str, now: datetime.datetime, queue: Queue) -> Run:
    """Let a HELD run through: it is OPEN, and is sent once this is committed, with the retries of its day.

    What the queue doesn't take then is sent by the hourly certify. Raises `UnknownRun`, `NotHeld`,
    `StillSwept` and `ReasonMissing`.
    """
    with transaction.atomic():
        run = _decided(run_id, reason=reason, author=author, now=now)
        run.status, run.passed_at = Run.Status.OPEN, now
        run.save(update_fields=["status", "passed_at", "decided_at", "decision"])
        run.rebillings.filter(status=Rebilling.Status.DUE).update(due_since=now)
        transaction.on_commit(partial(_send, run, queue))
    return run


def cancel_run(*, run_id: uuid.UUID, reason: str, author: str, now: datetime.datetime) -> Run:
    """Give a HELD run up: nothing of it is charged, and the next sweep finds again what is due then.

    Its DUE and PARKED periods are SKIPPED; their accounts' rebilling dates stay. So are later periods of these accounts
    that another sweep wrote meanwhile: before the earlier ones they can't be charged. Raises as `release_run`.
    """
    with transaction.atomic():
        run = _decided(run_id, reason=reason, author=author, now=now)
        run.status = Run.Status.CANCELLED
        run.save(update_fields=["status", "decided_at", "decision"])
        waiting = run.rebillings.filter(status__in=[Rebilling.Status.DUE, Rebilling.Status.PARKED])
        give_up(waiting, detail=run.decision)
    return run


def _decided(run_id: uuid.UUID, *, reason: str, author: str, now: datetime.datetime) -> Run:
    """The run, locked, with what was decided set and not saved.

    Its accounts are locked before it, as by every operation that needs both. Sweeps passed over them until now, and
    answer for them from here on.
    """
    decision = signed(checked_reason(reason), author)
    accounts = Account.objects.filter(id__in=Rebilling.objects.filter(run_id=run_id).values("account_id"))
    list(accounts.select_for_update(no_key=True).order_by("id").values_list("id", flat=True))
    run = Run.objects.select_for_update(no_key=True).filter(id=run_id).first()
    if run is None:
        raise UnknownRun(f"There is no run {run_id}.")
    if run.status != Run.Status.HELD:
        raise NotHeld(f"The run is {run.status}, not HELD.")
    check_sweep_ended(run)
    accounts.update(billing_since=now)
    run.decided_at, run.decision = now, decision
    return run


def check_sweep_ended(run: Run) -> None:
    """Raise `StillSwept` while the run's sweep is at work: rows that it writes after a decision would be nobody's."""
    if is_at_work(run.id):
        raise StillSwept("The run's sweep is still at work. Try again when it has ended.")


def _send(run: Run, queue: Queue) -> None:
    """The release is committed, so that whatever the queue answers, it stands; leftovers are sent within the hour."""
    try:
        send_due(run=run, queue=queue)
        send_retries(run=run, queue=queue)
    except Exception:
        logger.exception(
            "a released run was not sent; the hourly certify sends it",
            extra={"event": "run.released_unsent", "run": str(run.id)},
        )
