"""Missing periods: due by the calendar, but without a row. There are none unless something went wrong."""

import datetime
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection
from django.db.models import Min

from accounts.billing_calendar import Period, periods_due
from accounts.models import Account
from rebilling.models import AWAITS_DECISION, Rebilling, SkipReason

# Periods tile time, so if none is missing, the rows of an account follow one another from its first rebilling date to
# its present one. If they don't, or if the rebilling date has come, the account is checked period by period. Of
# skipped rows only those that a person skipped count: the others are to be found due again.
_SUSPECTS = """
    SELECT account.id
    FROM accounts_account AS account
    LEFT JOIN LATERAL (
        SELECT min(period_start) AS first, max(period_end) AS last,
            bool_and(coalesce(previous_end = period_start, true)) AS unbroken
        FROM (
            SELECT period_start, period_end, lag(period_end) OVER (ORDER BY period_start) AS previous_end
            FROM (
                SELECT DISTINCT period_start, period_end FROM rebilling_rebilling AS row
                WHERE row.account_id = account.id AND row.period_start >= account.first_rebilling_date
                    AND row.period_start < account.rebilling_date
                    AND (row.status <> 'SKIPPED' OR row.reason = 'skipped_by_person')
            ) AS periods
        ) AS line
    ) AS covered ON true
    WHERE account.status <> 'INACTIVE'
        AND (account.rebilling_date <= %(as_of)s
            OR coalesce(covered.last, account.first_rebilling_date) <> account.rebilling_date
            OR coalesce(covered.first, account.first_rebilling_date) <> account.first_rebilling_date
            OR NOT coalesce(covered.unbroken, true))
    ORDER BY account.id
"""


@dataclass(frozen=True, slots=True)
class MissingPeriod:
    """A due period without a row. `amount_minor` is what it would cost now, in minor units.

    `passed_over`: the account's rebilling date is after it, so that no sweep will find it.
    """

    account_id: uuid.UUID
    billing_since: datetime.datetime
    period: Period
    passed_over: bool
    amount_minor: int
    currency: str


def missing_periods(*, as_of: datetime.date) -> Iterator[MissingPeriod]:
    """Every period without a row, from an account's first rebilling date to `as_of`, of accounts that are billed."""
    with connection.cursor() as cursor:
        cursor.execute(_SUSPECTS, {"as_of": as_of})
        suspects = [id_ for (id_,) in cursor.fetchall()]
    for offset in range(0, len(suspects), 500):
        ids = suspects[offset : offset + 500]
        rows = Rebilling.objects.filter(account_id__in=ids)
        counted = rows.exclude(status=Rebilling.Status.SKIPPED) | rows.filter(reason=SkipReason.BY_PERSON)
        existing = set(counted.values_list("account_id", "period_start"))
        waiting = rows.filter(AWAITS_DECISION).values("account_id").annotate(first=Min("period_start"))
        waiting_from = {row["account_id"]: row["first"] for row in waiting.order_by()}
        for account in Account.objects.filter(id__in=ids).select_related("plan").order_by("id"):
            # After a parked or held period an account has no rows, and needs none: it waits.
            until = min(as_of, waiting_from.get(account.id, as_of))
            yield from _missing_of(account, existing=existing, as_of=until)


def _missing_of(
    account: Account, *, existing: set[tuple[uuid.UUID, datetime.date]], as_of: datetime.date
) -> Iterator[MissingPeriod]:
    for period in periods_due(
        anchor=account.anchor_date,
        interval=account.plan.interval,
        since=account.first_rebilling_date,
        as_of=as_of,
    ):
        if (account.id, period.start) not in existing:
            yield MissingPeriod(
                account.id,
                account.billing_since,
                period,
                passed_over=period.start < account.rebilling_date,
                amount_minor=account.charge_minor,
                currency=account.currency,
            )
