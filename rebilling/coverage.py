"""Coverage: periods that the calendar says are due and no row has. None, unless something went wrong."""

import datetime
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection
from django.db.models import Min

from accounts.billing_calendar import Period, periods_due
from accounts.models import Account
from rebilling.models import WAITS_FOR_A_PERSON, Rebilling, SkipReason

# Periods tile time, so rows that miss none add up, in days, to the span from an account's first rebilling date to its
# present one. An account whose rows don't, or whose rebilling date has come, is looked at period by period. What was
# skipped because its run was cancelled is to be found due anew: such a row stands for nothing.
_SUSPECTS = """
    SELECT account.id
    FROM accounts_account AS account
    LEFT JOIN LATERAL (
        SELECT coalesce(sum(period_end - period_start), 0) AS days
        FROM (
            SELECT DISTINCT period_start, period_end FROM rebilling_rebilling AS row
            WHERE row.account_id = account.id AND row.period_start >= account.first_rebilling_date
                AND row.period_start < account.rebilling_date AND row.reason <> 'run_cancelled'
        ) AS periods
    ) AS covered ON true
    WHERE account.status <> 'INACTIVE'
        AND (covered.days <> account.rebilling_date - account.first_rebilling_date
            OR account.rebilling_date <= %(as_of)s)
    ORDER BY account.id
"""


@dataclass(frozen=True, slots=True)
class MissingPeriod:
    """A period due and without a row. `amount_minor` is what it would cost now, in minor units."""

    account_id: uuid.UUID
    billing_since: datetime.datetime
    period: Period
    amount_minor: int
    currency: str


def missing_periods(*, as_of: datetime.date) -> Iterator[MissingPeriod]:
    """Every period from an account's first rebilling date to `as_of` that no row has, of accounts being billed."""
    with connection.cursor() as cursor:
        cursor.execute(_SUSPECTS, {"as_of": as_of})
        suspects = [id_ for (id_,) in cursor.fetchall()]
    for at in range(0, len(suspects), 500):
        ids = suspects[at : at + 500]
        rows = Rebilling.objects.filter(account_id__in=ids)
        standing = rows.exclude(reason=SkipReason.RUN_CANCELLED)
        there = set(standing.values_list("account_id", "period_start"))
        waiting = rows.filter(WAITS_FOR_A_PERSON).values("account_id").annotate(first=Min("period_start"))
        waiting_from = {row["account_id"]: row["first"] for row in waiting.order_by()}
        for account in Account.objects.filter(id__in=ids).select_related("plan").order_by("id"):
            # Behind a parked or held period an account has no rows, and needs none: it waits.
            until = min(as_of, waiting_from.get(account.id, as_of))
            yield from _missing_of(account, there=there, as_of=until)


def _missing_of(
    account: Account, *, there: set[tuple[uuid.UUID, datetime.date]], as_of: datetime.date
) -> Iterator[MissingPeriod]:
    for period in periods_due(
        anchor=account.anchor_date,
        interval=account.plan.interval,
        since=account.first_rebilling_date,
        as_of=as_of,
    ):
        if (account.id, period.start) not in there:
            yield MissingPeriod(
                account.id, account.billing_since, period, amount_minor=account.charge_minor, currency=account.currency
            )
