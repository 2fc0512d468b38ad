"""Every change of a run's state, but its beginning: a sweep, or what is first billed at once on a day, begins it
OPEN.
"""

import datetime
import uuid
from collections.abc import Collection
from typing import Any

from rebilling.locked_runs import LockedRun, lock_runs
from rebilling.models import Run


def let_through(runs: Collection[LockedRun], *, now: datetime.datetime) -> None:
    """The volume check found nothing: what these runs found due is sent."""
    Run.objects.filter(id__in=[run.id for run in runs]).update(passed_at=now)


def hold(runs: Collection[LockedRun], *, because: str) -> None:
    """The volume check found the runs far too large: nothing of them is sent until a person decides."""
    Run.objects.filter(id__in=[run.id for run in runs]).update(status=Run.Status.HELD, held_because=because)


def release(run: LockedRun, *, now: datetime.datetime) -> None:
    """A person lets a HELD run through; the decision is set on it."""
    run.status, run.passed_at = Run.Status.OPEN, now
    run.save(update_fields=["status", "passed_at", "decided_at", "decision"])


def cancel(run: LockedRun) -> None:
    """A person cancels a HELD run; the decision is set on it."""
    run.status = Run.Status.CANCELLED
    run.save(update_fields=["status", "decided_at", "decision"])


def mark_reconciled(run: LockedRun, *, figures: dict[str, Any], now: datetime.datetime) -> None:
    """Everything in the run is explained; its figures are frozen."""
    run.status, run.reconciled_at, run.figures = Run.Status.RECONCILED, now, figures
    run.save(update_fields=["status", "reconciled_at", "figures"])


def reopen(ids: Collection[uuid.UUID]) -> None:
    """Reopen those of the runs that are reconciled: their parked periods are being decided, or one more period is
    billed on demand, so that their figures are made anew. Their accounts are locked before them; the runs are locked
    here.
    """
    if not ids:
        return
    # Locked whatever their status, so that no run is reconciled between this read and our commit.
    runs = lock_runs(Run.objects.filter(id__in=ids))
    reconciled = [run.id for run in runs if run.status == Run.Status.RECONCILED]
    Run.objects.filter(id__in=reconciled).update(status=Run.Status.OPEN, reconciled_at=None, gaps_searched_at=None)
