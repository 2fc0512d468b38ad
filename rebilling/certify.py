"""Certifying: what the hourly schedule does. Open runs are certified, and leftovers sent again."""

import datetime
import logging
from collections.abc import Collection
from dataclasses import asdict

from django.conf import settings

from rebilling.brake import UNDECIDED, let_through
from rebilling.certificate import Certificate, certificates
from rebilling.dispatch import send_due
from rebilling.models import Rebilling, Run
from rebilling.queue import Queue

logger = logging.getLogger(__name__)


def certify(*, runs: Collection[Run], now: datetime.datetime) -> list[Certificate]:
    """Certify the runs: an OPEN one in which everything is explained is CERTIFIED.

    Unexplained periods are an error, and so is a run that is HELD, each time until a person has decided about it.

    Returns the certificates, in the order of the runs.
    """
    found = certificates(runs=runs, now=now)
    for certificate in found:
        if certificate.status == Run.Status.OPEN and certificate.clean:
            Run.objects.filter(id=certificate.run_id, status=Run.Status.OPEN, swept_at__isnull=False).update(
                status=Run.Status.CERTIFIED, certified_at=now
            )
            certificate.status = Run.objects.values_list("status", flat=True).get(id=certificate.run_id)
        level, message = _alarm(certificate)
        logger.log(level, message, extra={"event": "run.certificate", "certificate": asdict(certificate)})
    return found


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
    """Send again what has been DUE for `REBILLING_RESEND_MINUTES`. Returns the number of messages.

    The brake looks first at what was found by sweeps that were cut off before it could. Raises `UnableToSend`.
    """
    due_before = now - datetime.timedelta(minutes=settings.REBILLING_RESEND_MINUTES)
    for cut_off in Run.objects.filter(UNDECIDED, started_at__lt=due_before).order_by("id"):
        let_through(run=cut_off, now=now)
    late = Rebilling.objects.filter(status=Rebilling.Status.DUE, due_since__lt=due_before)
    run = Run.objects.filter(passed_at__isnull=False, rebillings__in=late).order_by("-as_of", "-id").first()
    return send_due(run=run, queue=queue, due_before=due_before) if run else 0
