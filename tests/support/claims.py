"""Claims on periods that no sweep writes: made by hand, or by mistake."""

import datetime
from typing import Any

from accounts.models import Account
from rebilling.models import Rebilling, Run
from tests.builders import NOW


def a_claim(
    account: Account, start: datetime.date, end: datetime.date | None = None, *, run: Run, **given: Any
) -> Rebilling:
    """A row that isn't saved: DUE, of one day where no end is given, and of 1,999."""
    end = end or start + datetime.timedelta(days=1)
    row: dict[str, Any] = {
        "run": run,
        "account": account,
        "period_start": start,
        "period_end": end,
        "ended_on": end,
        "status": "DUE",
        "description": "By hand",
        "quantity": 1,
        "unit_amount_minor": 1999,
        "amount_minor": 1999,
        "currency": account.currency,
        "due_since": NOW,
    }
    return Rebilling(**(row | given))


def saved(row: Rebilling) -> Rebilling:
    row.save(force_insert=True)
    return row
