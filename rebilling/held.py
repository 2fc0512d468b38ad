"""What people do about a run that the brake holds: let it be sent after all, or cancel it."""

import datetime
import logging
import uuid
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Account
from accounts.refusals import Conflict, Missing
from rebilling.dispatch import send_due
from rebilling.models import ParkReason, Rebilling, Run, SkipReason
from rebilling.queue import Queue
from rebilling.reasons import checked_reason, signed

logger = logging.getLogger(__name__)


class UnknownRun(Missing):
    code = "unknown-run"


class NotHeld(Conflict):
    code = "run-not-held"


class StillSwept(Conflict):
    code = "run-still-swept"


def release_run(*, run_id: uuid.UUID, reason: str, author: str, now: datetime.datetime, queue: Queue) -> Run:
    """Let a HELD run through: it is OPEN, and what it found due is sent once this is committed.

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
        given_up = Rebilling.objects.filter(Q(id__in=_waiting(run).values("id")) | Q(id__in=_behind(run).values("id")))
        given_up.update(status=Rebilling.Status.SKIPPED, reason=SkipReason.RUN_CANCELLED, detail=run.decision)
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
    if run.swept_at is None and run.started_at + datetime.timedelta(minutes=settings.REBILLING_DUE_MINUTES) > now:
        # Rows that it writes after this would be nobody's.
        raise StillSwept("The run may still be finding what is due. Try again later.")
    accounts.update(billing_since=now)
    run.decided_at, run.decision = now, decision
    return run


def _waiting(run: Run) -> QuerySet[Rebilling]:
    return run.rebillings.filter(status__in=[Rebilling.Status.DUE, Rebilling.Status.PARKED])


def _behind(run: Run) -> QuerySet[Rebilling]:
    """Other runs' rows that wait for rows of this one; perhaps not only for them, and then they are found anew, too."""
    earlier = _waiting(run).filter(account=OuterRef("account"), period_start__lt=OuterRef("period_start"))
    waits = Q(status=Rebilling.Status.DUE) | Q(reason=ParkReason.EARLIER_PERIOD_PARKED)
    behind = Rebilling.objects.exclude(run=run).filter(waits, Exists(earlier))
    return behind.filter(account__in=run.rebillings.values("account"))


def _send(run: Run, queue: Queue) -> None:
    """The release is committed, so that whatever the queue answers, it stands; leftovers are sent within the hour."""
    try:
        send_due(run=run, queue=queue)
    except Exception:
        logger.exception(
            "a released run was not sent; the hourly certify sends it",
            extra={"event": "run.released_unsent", "run": str(run.id)},
        )
