"""Waiting periods: the rebillings of locked accounts that are to be charged, as plain rows."""

import datetime
import uuid
from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

from django.db import connection

from accounts.array_literals import uuid_array
from accounts.locked_accounts import LockedAccount
from accounts.sql_files import query


class WaitingPeriod(NamedTuple):
    """A rebilling that is DUE or PARKED. Fields are those of `rebilling.models.Rebilling`; amounts in minor units.

    `has_items`: items were fixed to it. `run_passed`: its run was let through by the volume check or by a person.
    """

    id: uuid.UUID
    account_id: uuid.UUID
    period_start: datetime.date
    period_end: datetime.date
    is_parked: bool
    description: str
    quantity: int
    unit_amount_minor: int
    discount_minor: int
    amount_minor: int
    tax_rate_id: uuid.UUID | None
    has_items: bool
    run_passed: bool


def waiting_periods(accounts: Collection[LockedAccount]) -> dict[uuid.UUID, list[WaitingPeriod]]:
    """The DUE and PARKED rebillings of locked accounts by account, in order."""
    periods: dict[uuid.UUID, list[WaitingPeriod]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            query(__file__, "waiting_periods"), {"accounts": uuid_array([account.id for account in accounts])}
        )
        for row in cursor.fetchall():
            period = WaitingPeriod(*row)
            periods[period.account_id].append(period)
    return periods
