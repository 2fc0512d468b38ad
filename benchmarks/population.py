"""Many accounts that were billed for months: a few by the product's own operations, and copies of them."""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.account_copies import copy_account
from benchmarks.database import vacuum

OTHERS_DAY = 15
"""The accounts that aren't due on one of the days are due so many days after TODAY."""


def populate(*, due: Sequence[int], others: int, months: int) -> None:
    """Accounts that were billed monthly for so many months before TODAY; of them `due[n]` are due n days after TODAY,
    and the others OTHERS_DAY days.
    """
    from tests.builders import TODAY

    counts = {TODAY + datetime.timedelta(days=day): count for day, count in enumerate(due)}
    counts[TODAY + datetime.timedelta(days=OTHERS_DAY)] = others
    originals = _billed_accounts({day: count for day, count in counts.items() if count}, months=months)
    for account_id, count in originals:
        copy_account(account_id, copies=count - 1)
    _reconcile_all()
    vacuum()


def _billed_accounts(counts: Mapping[datetime.date, int], *, months: int) -> list[tuple[uuid.UUID, int]]:
    """One account for each day on which accounts are due next, with the number of accounts that are to be like it."""
    from dateutil.relativedelta import relativedelta

    from benchmarks.due_batches import AnswersAtOnce
    from tests.builders import a_plan, an_account, billed

    plan = a_plan()
    made = []
    for day, count in counts.items():
        first = day - relativedelta(months=months)
        fields: dict[str, Any] = {
            "anchor_date": first,
            "rebilling_date": first,
            "payment_customer": "cus_1",
            "payment_method": "pm_1",
        }
        account = an_account(plan=plan, today=first, **fields)
        made.append((account.id, count))
    starts = sorted(day - relativedelta(months=month) for day in counts for month in range(1, months + 1))
    for start in starts:
        billed(as_of=start, gateway=AnswersAtOnce())
    return made


def _reconcile_all() -> None:
    """The runs' figures are those of all the copies."""
    from django.utils import timezone

    from rebilling.models import Run
    from rebilling.reconciliation.reconcile import open_runs, reconcile

    reconcile(runs=open_runs(), now=timezone.now())
    assert not Run.objects.exclude(status=Run.Status.RECONCILED).exists()
