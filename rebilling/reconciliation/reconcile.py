"""Reconciles runs: an open run is RECONCILED once everything that was due is explained."""

import datetime
import logging
import uuid
from collections.abc import Collection
from dataclasses import asdict

from django.db import transaction

from rebilling.locked_runs import lock_runs
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.gap_search import search_for_gaps
from rebilling.reconciliation.summary import Reconciliation, reconciliations_of
from rebilling.run_figures import figures_to_freeze
from rebilling.run_states import mark_reconciled

logger = logging.getLogger(__name__)


def reconcile(*, runs: Collection[Run], now: datetime.datetime) -> list[Reconciliation]:
    """Reconcile the runs. An OPEN run in which everything is explained becomes RECONCILED.

    Unexplained periods are logged as an error, and so is a HELD run, each time until a person has decided about it.
    Returns the reconciliations, in the order of the runs.
    """
    search_for_gaps(now=now)
    # Read anew: the search notes on them that it was made.
    fresh = Run.objects.in_bulk([run.id for run in runs])
    found = reconciliations_of(runs=[fresh[run.id] for run in runs], now=now)
    for reconciliation in found:
        apply_reconciliation(reconciliation, now=now)
    return found


def apply_reconciliation(reconciliation: Reconciliation, *, now: datetime.datetime) -> None:
    """Make the run RECONCILED if everything in it is explained, and log the reconciliation."""
    goes_on = reconciliation.sweeping or reconciliation.day_goes_on or not reconciliation.searched
    if reconciliation.status == Run.Status.OPEN and reconciliation.clean and not goes_on:
        reconciliation.status = _mark_reconciled(reconciliation.run_id, now)
    level, message = _log_line(reconciliation)
    logger.log(level, message, extra={"event": "run.reconciliation", "reconciliation": asdict(reconciliation)})


def _mark_reconciled(run_id: uuid.UUID, now: datetime.datetime) -> str:
    """Make the run RECONCILED, unless a person has made one of its periods DUE again meanwhile. Returns its status."""
    with transaction.atomic():
        (run,) = lock_runs(Run.objects.filter(id=run_id))
        # Checked under the lock, which releasing a period takes too. A run that hasn't passed the volume check can't be
        # reconciled yet.
        passed = run.status == Run.Status.OPEN and run.passed_at is not None
        if passed and not run.rebillings.filter(status=Rebilling.Status.DUE).exists():
            mark_reconciled(run, figures=figures_to_freeze(run), now=now)
        return run.status


def _log_line(reconciliation: Reconciliation) -> tuple[int, str]:
    if reconciliation.unexplained.periods:
        return logging.ERROR, "a run has unexplained periods"
    if reconciliation.status == Run.Status.HELD:
        return logging.ERROR, "a run is held: release or cancel it"
    return logging.INFO, "a run was checked"


def open_runs() -> list[Run]:
    """The runs that are still to be reconciled, HELD ones included, oldest first."""
    return list(Run.objects.filter(status__in=[Run.Status.OPEN, Run.Status.HELD]).order_by("id"))
