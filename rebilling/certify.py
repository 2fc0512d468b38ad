"""Certifying: an open run in which everything is explained has answered for what was due."""

import datetime
import logging
import uuid
from collections.abc import Collection
from dataclasses import asdict

from django.db import transaction

from rebilling.certificate import Certificate, certificates
from rebilling.models import Rebilling, Run

logger = logging.getLogger(__name__)


def certify(*, runs: Collection[Run], now: datetime.datetime) -> list[Certificate]:
    """Certify the runs: an OPEN one in which everything is explained is CERTIFIED.

    Unexplained periods are an error, and so is a run that is HELD, each time until a person has decided about it.
    Returns the certificates, in the order of the runs.
    """
    found = certificates(runs=runs, now=now)
    for certificate in found:
        conclude(certificate, now=now)
    return found


def conclude(certificate: Certificate, *, now: datetime.datetime) -> None:
    """Certify the certificate's run if everything in it is explained, and log what it comes to."""
    if certificate.status == Run.Status.OPEN and certificate.clean and not certificate.sweeping:
        certificate.status = _certified(certificate.run_id, now)
    level, message = _alarm(certificate)
    logger.log(level, message, extra={"event": "run.certificate", "certificate": asdict(certificate)})


def _certified(run_id: uuid.UUID, now: datetime.datetime) -> str:
    """Certify the run, unless a person made one of its periods DUE again since it was looked at. Returns its status."""
    with transaction.atomic():
        run = Run.objects.select_for_update(no_key=True).get(id=run_id)
        # Asked under the lock, which whoever releases a period takes too. One that the brake hasn't let through has
        # nothing to answer for yet.
        passed = run.status == Run.Status.OPEN and run.passed_at is not None
        if passed and not run.rebillings.filter(status=Rebilling.Status.DUE).exists():
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
