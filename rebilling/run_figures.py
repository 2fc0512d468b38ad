"""What became of a run: counted from its rows, and frozen when it is reconciled."""

import json
import uuid
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from django.db import connection
from django.db.models import Count

from accounts.array_literals import uuid_array
from accounts.currencies import display
from accounts.phrases import counted
from accounts.sql_files import query
from payments.models import Payment
from rebilling.locked_runs import LockedRun
from rebilling.models import Run


def run_periods(run_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[dict[str, Any]]]:
    """The periods of runs by outcome, reason and currency: their number, their amount in minor units, and that of
    the items invoiced with them.
    """
    with connection.cursor() as cursor:
        cursor.execute(query(__file__, "run_periods"), {"runs": uuid_array(run_ids)})
        return {run_id: json.loads(periods) for run_id, periods in cursor.fetchall()}


def run_payments(run_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, dict[str, int]]:
    """How many of the first payments of runs' invoices are in each status, in lower case."""
    rows = (
        Payment.objects.filter(cause=Payment.Cause.INVOICE, invoice__rebillings__run_id__in=run_ids)
        .values_list("invoice__rebillings__run_id", "status")
        .annotate(count=Count("id", distinct=True))
        .order_by()
    )
    found: dict[uuid.UUID, dict[str, int]] = defaultdict(dict)
    for run_id, status, count in rows:
        found[run_id][status.lower()] = count
    return found


def figures_to_freeze(run: LockedRun) -> dict[str, Any]:
    """A run's periods and payments. It is locked, so that none of its periods changes meanwhile."""
    return {
        "periods": run_periods([run.id]).get(run.id, []),
        "payments": run_payments([run.id]).get(run.id, {}),
    }


def changed_figures() -> list[tuple[uuid.UUID, str]]:
    """The RECONCILED runs whose periods aren't what they were when they were reconciled, each with the difference."""
    frozen: dict[uuid.UUID, Any] = dict(Run.objects.filter(status=Run.Status.RECONCILED).values_list("id", "figures"))
    present = run_periods(frozen)
    return [
        (run_id, f"{_in_words(present.get(run_id, []))} instead of {_frozen_in_words(before)}")
        for run_id, before in frozen.items()
        if not isinstance(before, dict) or present.get(run_id, []) != before.get("periods")
    ]


def _frozen_in_words(figures: Any) -> str:
    """Of figures that may have been forged, in whatever form."""
    try:
        return _in_words(figures["periods"])
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return "figures that no reconciliation writes"


def _in_words(periods: list[dict[str, Any]]) -> str:
    """Such as "2 periods CHARGED, 39.98 USD"."""
    return "; ".join(map(_row_in_words, periods)) or "no periods"


def _row_in_words(row: dict[str, Any]) -> str:
    reason = f" ({row['reason']})" if row["reason"] else ""
    amount = display(amount_minor=row["amount_minor"], currency=row["currency"])
    return f"{counted(row['periods'], 'period')} {row['outcome']}{reason}, {amount}"
