"""The hourly check: what sweeps that were cut off found is weighed, open runs are certified, leftovers are sent again.

Each step is taken whatever became of the others: one run that can't be certified keeps no payment from being looked up.
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
from accounts.database_trouble import database_is_away, database_trouble, sqlstate_of, told_in_a_line
from payments.deadlines import hand_over_overdue, waiting_for_a_person
from rebilling.brake import cut_off_runs, let_through
from rebilling.certificate import Certificate, certificates
from rebilling.certify import conclude, open_runs
from rebilling.dispatch import send_due, send_refunds, send_retries, send_submitted, send_unknown
from rebilling.metrics import emit
from rebilling.models import Rebilling, Run
from rebilling.queue import Queue

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(slots=True)
class HourlyCheck:
    """What the check found and did. `sent` counts messages; `failed` has each step that failed, with its error."""

    certificates: list[Certificate] = field(default_factory=list)
    sent: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def unexplained(self) -> int:
        """Periods that are unexplained, in all runs."""
        return sum(certificate.unexplained.periods for certificate in self.certificates)

    def attempt(self, step: str, work: Callable[[], T]) -> T | None:
        """What `work` brings. Failing, it is logged as an error, and the check goes on: with its traceback, or in one
        line where the database is in trouble.

        Raises what the work raised where the database is away: no other step could do anything either.
        """
        try:
            return work()
        except Exception as error:
            if database_is_away(error):
                raise
            said = {"event": "hourly.failed", "step": step}
            if trouble := database_trouble(error):
                said |= {"sqlstate": sqlstate_of(error), "error": told_in_a_line(error)}
                logger.error("a step of the hourly check failed: %s", trouble, extra=said)
            else:
                logger.exception("a step of the hourly check failed", extra=said)
            self.failed.append(f"{step}: {error}")
            return None


def check_hourly(*, queue: Queue | None, now: datetime.datetime) -> HourlyCheck:
    """Weigh, certify, hand over what is overdue, and send again what was left; without a queue nothing is sent.

    Certified before anything is sent: an alarm doesn't wait for a queue that may be what is wrong. Raises what a
    database that is away raises, and nothing else: the caller makes an alarm of `failed`.
    """
    check = HourlyCheck()
    for run in check.attempt("find sweeps that were cut off", cut_off_runs) or []:
        check.attempt(f"weigh the run {run.id}", partial(let_through, run=run, now=now))
    check.certificates = _certificates(check, now)
    for certificate in check.certificates:
        check.attempt(f"certify the run {certificate.run_id}", partial(conclude, certificate, now=now))
    check.attempt("hand over what is overdue", partial(hand_over_overdue, now=now))
    if queue is not None:
        _send_leftovers(check, queue, now)
    check.attempt("count what needs a person", lambda: _emit(check, now))
    return check


def _certificates(check: HourlyCheck, now: datetime.datetime) -> list[Certificate]:
    """Of all open runs at once, which is one look at the accounts; or of each by itself, where one fails that."""
    runs = check.attempt("find open runs", open_runs) or []
    found = check.attempt("look at open runs", partial(certificates, runs=runs, now=now))
    if found is not None:
        return found
    each = (check.attempt(f"look at the run {run.id}", partial(certificates, runs=[run], now=now)) for run in runs)
    return [certificate for of_run in each for certificate in of_run or []]


def _emit(check: HourlyCheck, now: datetime.datetime) -> None:
    emit(now=now, unexplained=check.unexplained, needs_person=waiting_for_a_person())


def _send_leftovers(check: HourlyCheck, queue: Queue, now: datetime.datetime) -> None:
    """Send again what has been DUE, and payments and refunds that were SUBMITTED, for `REBILLING_RESEND_MINUTES`.

    Their messages may be lost, or dead letters. Payments and refunds whose outcome is unknown are sent to be looked up,
    and retries that a sweep weighed and sent.
    """
    before = now - datetime.timedelta(minutes=settings.REBILLING_RESEND_MINUTES)
    newest = check.attempt("find the newest run", lambda: _passed_runs(now).first())
    steps: dict[str, Callable[[], int]] = {"periods that are due": partial(_send_due, queue, before, now)}
    if newest:
        steps |= {
            "payments that were submitted": partial(
                send_submitted, run=newest, queue=queue, submitted_before=before, now=now
            ),
            "payments whose outcome is unknown": partial(send_unknown, run=newest, queue=queue, now=now),
        }
    if newest and newest.started_at < before:
        steps["retries"] = partial(send_retries, run=newest, queue=queue)
    steps["refunds"] = partial(send_refunds, queue=queue, now=now)
    for what, send in steps.items():
        check.sent += check.attempt(f"send {what}", send) or 0


def _send_due(queue: Queue, before: datetime.datetime, now: datetime.datetime) -> int:
    late = Rebilling.objects.filter(status=Rebilling.Status.DUE, due_since__lt=before)
    run = _passed_runs(now).filter(rebillings__in=late).first()
    return send_due(run=run, queue=queue, due_before=before) if run else 0


def _passed_runs(now: datetime.datetime) -> QuerySet[Run]:
    """Runs that were let through, newest first; not one of a day to come, should there be any."""
    return Run.objects.filter(passed_at__isnull=False, as_of__lte=billing_day(now)).order_by("-as_of", "-id")
