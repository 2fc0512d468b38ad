"""The hourly check: volume-checks runs that were cut off, reconciles open runs, and sends leftovers again.

A step that fails doesn't stop the others: payments are looked up even when a run can't be reconciled.
"""

import datetime
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from django.conf import settings
from django.db.models import QuerySet

from accounts.billing_day import billing_day
from accounts.database_errors import database_is_unreachable, database_trouble, one_line, sqlstate_of
from payments.authentications import end_authentications
from payments.deadlines import awaiting_review, mark_overdue
from payments.dunning_steps import send_dunning
from payments.messages.dispatch import send_leftovers, send_open_sessions
from payments.messages.queue import Queue
from payments.models import Payment, Refund
from rebilling.books import ComparedBooks, Discrepancy, check_books
from rebilling.expired_rows import delete_expired_rows
from rebilling.messages.dispatch import send_due
from rebilling.metrics import emit
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.gap_search import search_for_gaps
from rebilling.reconciliation.reconcile import apply_reconciliation, open_runs
from rebilling.reconciliation.summary import Reconciliation, reconciliations_of
from rebilling.volume_check import cut_off_runs, pass_or_hold

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(slots=True)
class HourlyCheck:
    """What the check found and did. `sent` counts messages; `failed` lists the failed steps with their errors."""

    reconciliations: list[Reconciliation] = field(default_factory=list)
    books: ComparedBooks | None = None
    sent: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def discrepancies(self) -> list[Discrepancy]:
        """The discrepancies in the books, where they were compared."""
        return self.books.discrepancies if self.books else []

    @property
    def unexplained(self) -> int:
        """Unexplained periods in all runs."""
        return sum(reconciliation.unexplained.periods for reconciliation in self.reconciliations)

    def attempt(self, step: str, work: Callable[[], T]) -> T | None:
        """What `work` returns. An exception is logged as an error, in one line if it is database trouble and with its
        traceback otherwise, and the check goes on.

        If the database can't be reached, the exception is raised: no other step could do anything either.
        """
        try:
            return work()
        except Exception as error:
            if database_is_unreachable(error):
                raise
            extra = {"event": "hourly.failed", "step": step}
            if trouble := database_trouble(error):
                extra |= {"sqlstate": sqlstate_of(error), "error": one_line(error)}
                logger.error("a step of the hourly check failed: %s", trouble, extra=extra)
            else:
                logger.exception("a step of the hourly check failed", extra=extra)
            self.failed.append(f"{step}: {error}")
            return None


def check_hourly(*, queue: Queue | None, now: datetime.datetime, whole: bool = False) -> HourlyCheck:
    """Volume-check, reconcile, hand over what is overdue, and send leftovers again. Without a queue nothing is sent.

    Runs are reconciled before anything is sent, so that a broken queue doesn't delay an alarm. Raises only when the
    database can't be reached; the caller raises an alarm for `failed`.
    """
    check = HourlyCheck()
    for run in check.attempt("find sweeps that were cut off", cut_off_runs) or []:
        check.attempt(f"check the volume of run {run.id}", partial(pass_or_hold, run=run, now=now))
    check.attempt("search for gaps", partial(search_for_gaps, now=now, whole=whole))
    check.reconciliations = _reconciliations(check, now)
    for reconciliation in check.reconciliations:
        step = f"reconcile run {reconciliation.run_id}"
        check.attempt(step, partial(apply_reconciliation, reconciliation, now=now))
    check.attempt("hand over what is overdue", partial(mark_overdue, now=now))
    check.attempt("end authentications", partial(end_authentications, now=now))
    if queue is not None:
        _send_leftovers(check, queue, now)
    check.books = check.attempt("check the books", partial(check_books, now=now, whole=whole))
    check.attempt("delete expired rows", partial(delete_expired_rows, now=now))
    check.attempt("count what needs review", lambda: _emit(check, now))
    return check


def _reconciliations(check: HourlyCheck, now: datetime.datetime) -> list[Reconciliation]:
    """Of all open runs at once, which reads the accounts once; or one by one, if that fails."""
    runs = check.attempt("find open runs", open_runs) or []
    found = check.attempt("summarize open runs", partial(reconciliations_of, runs=runs, now=now))
    if found is not None:
        return found
    each = (check.attempt(f"summarize run {run.id}", partial(reconciliations_of, runs=[run], now=now)) for run in runs)
    return [reconciliation for of_run in each for reconciliation in of_run or []]


def _emit(check: HourlyCheck, now: datetime.datetime) -> None:
    # A discrepancy sets off the alarm as an unexplained period does: something is there that nothing explains.
    unexplained = check.unexplained + len(check.discrepancies)
    emit(now=now, unexplained=unexplained, needs_review=awaiting_review())


def _send_leftovers(check: HourlyCheck, queue: Queue, now: datetime.datetime) -> None:
    """Send again periods that have been DUE, and payments and refunds SUBMITTED, for `REBILLING_RESEND_MINUTES`.

    Their messages may be lost, or dead letters. Payments and refunds with an unknown outcome are sent to be looked up,
    and so are payment method sessions that are open.
    So are dunning steps that passed the volume check of today's sweep and weren't taken.
    """
    before = now - datetime.timedelta(minutes=settings.REBILLING_RESEND_MINUTES)
    newest = check.attempt("find the newest sweep", lambda: _passed_runs(now).filter(kind=Run.Kind.SWEEP).first())
    steps: dict[str, Callable[[], int]] = {
        "periods that are due": partial(_send_due, queue, before, now),
        "payments": partial(send_leftovers, model=Payment, queue=queue, now=now),
        "refunds": partial(send_leftovers, model=Refund, queue=queue, now=now),
        "sessions": partial(send_open_sessions, queue=queue, now=now),
    }
    if newest and newest.started_at < before and newest.as_of == billing_day(now):
        steps["dunning steps"] = partial(send_dunning, queue=queue, now=now)
    for what, send in steps.items():
        check.sent += check.attempt(f"send {what}", send) or 0


def _send_due(queue: Queue, before: datetime.datetime, now: datetime.datetime) -> int:
    late = Rebilling.objects.filter(status=Rebilling.Status.DUE, due_since__lt=before)
    run = _passed_runs(now).filter(rebillings__in=late).first()
    return send_due(run=run, queue=queue, due_before=before) if run else 0


def _passed_runs(now: datetime.datetime) -> QuerySet[Run]:
    """Runs that passed the volume check, newest first; none that is dated after today, should there be one."""
    return Run.objects.filter(passed_at__isnull=False, as_of__lte=billing_day(now)).order_by("-as_of", "-id")
