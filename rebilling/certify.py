"""Certifying: what the hourly schedule does. Open runs are certified, and leftovers sent again."""

import datetime
import logging
from collections.abc import Collection
from dataclasses import asdict

from django.conf import settings

from rebilling.certificate import Certificate, certificates
from rebilling.dispatch import send_due
from rebilling.models import Rebilling, Run
from rebilling.queue import Queue

logger = logging.getLogger(__name__)


def certify(*, runs: Collection[Run], now: datetime.datetime) -> list[Certificate]:
    """Certify the runs: an OPEN one in which everything is explained is CERTIFIED. Unexplained periods are an error.

    Returns the certificates, in the order of the runs.
    """
    found = certificates(runs=runs, now=now)
    for certificate in found:
        if certificate.status == Run.Status.OPEN and certificate.clean and not certificate.sweeping:
            Run.objects.filter(id=certificate.run_id, status=Run.Status.OPEN).update(
                status=Run.Status.CERTIFIED, certified_at=now
            )
            certificate.status = Run.Status.CERTIFIED
        unexplained = certificate.unexplained.periods
        logger.log(
            logging.ERROR if unexplained else logging.INFO,
            "a run has unexplained periods" if unexplained else "a run was looked at",
            extra={"event": "run.certificate", "certificate": asdict(certificate)},
        )
    return found


def open_runs() -> list[Run]:
    """The runs that are still to be certified, oldest first."""
    return list(Run.objects.filter(status=Run.Status.OPEN).order_by("id"))


def send_leftovers(*, queue: Queue, now: datetime.datetime) -> int:
    """Send again what has been DUE for `REBILLING_RESEND_MINUTES`. Returns the number of messages.

    Raises `UnableToSend`.
    """
    due_before = now - datetime.timedelta(minutes=settings.REBILLING_RESEND_MINUTES)
    late = Rebilling.objects.filter(status=Rebilling.Status.DUE, due_since__lt=due_before)
    sent = Run.objects.filter(status__in=[Run.Status.OPEN, Run.Status.CERTIFIED], rebillings__in=late)
    run = sent.order_by("-as_of", "-id").first()
    return send_due(run=run, queue=queue, due_before=due_before) if run else 0
