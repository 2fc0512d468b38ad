"""Certifying: what the hourly schedule does. Open runs are certified, and leftovers sent again."""

import datetime
import logging
import uuid
from collections.abc import Collection
from dataclasses import asdict

from django.conf import settings
from django.db import transaction

from accounts.billing_day import billing_day
from payments.deadlines import hand_over_overdue, waiting_for_a_person
from rebilling.brake import UNDECIDED, let_through
from rebilling.certificate import Certificate, certificates
from rebilling.dispatch import send_due, send_refunds, send_retries, send_submitted, send_unknown
from rebilling.metrics import emit
from rebilling.models import Rebilling, Run
from rebilling.queue import Queue

logger = logging.getLogger(__name__)


def certify(*, runs: Collection[Run], now: datetime.datetime) -> list[Certificate]:
    """Certify the runs: an OPEN one in which everything is explained is CERTIFIED.

    Unexplained periods are an error, and so is a run that is HELD, each time until a person has decided about it.
    Payments and refunds whose outcome is open for too long are marked: they need a person.

    Returns the certificates, in the order of the runs.
    """
    hand_over_overdue(now=now)
    found = certificates(runs=runs, now=now)
    for certificate in found:
        if certificate.status == Run.Status.OPEN and certificate.clean and not certificate.sweeping:
            certificate.status = _certified(certificate.run_id, now)
        level, message = _alarm(certificate)
        logger.log(level, message, extra={"event": "run.certificate", "certificate": asdict(certificate)})
    emit(
        now=now,
        unexplained=sum(certificate.unexplained.periods for certificate in found),
        needs_person=waiting_for_a_person(),
    )
    return found


def _certified(run_id: uuid.UUID, now: datetime.datetime) -> str:
    """Certify the run, unless a person made one of its periods DUE again since it was looked at. Returns its status."""
    with transaction.atomic():
        run = Run.objects.select_for_update(no_key=True).get(id=run_id)
        # Asked under the lock, which whoever releases a period takes too.
        if run.status == Run.Status.OPEN and not run.rebillings.filter(status=Rebilling.Status.DUE).exists():
            run.status, run.certified_at = Run.Status.CERTIFIED, now
            run.save(update_fields=["status", "certified_at"])
        return run.status


def _alarm(certificate: Certificate) -> tuple[int, str]:
    if certificate.unexplained.periods:
        return logging.ERROR, "a run has unexplained periods"
    if certificate.status == Run.Status.HELD:
        return logging.ERROR, "a run is held: release or cancel it"
    return logging.INFO, "a run was looked at"


def open_runs() -> list[Run]:
    """The runs that are still to be certified, HELD ones among them, oldest first."""
    return list(Run.objects.filter(status__in=[Run.Status.OPEN, Run.Status.HELD]).order_by("id"))


def send_leftovers(*, queue: Queue, now: datetime.datetime) -> int:
    """Send again what has been DUE, and payments that were SUBMITTED, for `REBILLING_RESEND_MINUTES`.

    Their messages may be lost, or dead letters. Payments whose outcome is unknown are sent to be asked about, and
    refunds as payments are. Returns the number of messages.

    The brake looks first at what was found by sweeps that were cut off before it could; those that may still be at work
    are left to themselves. Raises `UnableToSend`.
    """
    begun_before = now - datetime.timedelta(minutes=settings.REBILLING_DUE_MINUTES)
    for cut_off in Run.objects.filter(UNDECIDED, started_at__lte=begun_before).order_by("id"):
        let_through(run=cut_off, now=now)
    due_before = now - datetime.timedelta(minutes=settings.REBILLING_RESEND_MINUTES)
    passed = Run.objects.filter(passed_at__isnull=False).order_by("-as_of", "-id")
    late = Rebilling.objects.filter(status=Rebilling.Status.DUE, due_since__lt=due_before)
    run = passed.filter(rebillings__in=late).first()
    sent = send_due(run=run, queue=queue, due_before=due_before) if run else 0
    newest = passed.first()
    if newest:
        sent += send_submitted(run=newest, queue=queue, submitted_before=due_before, now=now)
        sent += send_unknown(run=newest, queue=queue, now=now)
        if newest.started_at < due_before:
            sent += send_retries(run=newest, queue=queue, today=billing_day(now))
    return sent + send_refunds(queue=queue, now=now)
