"""Missing periods: due by the calendar, but without a row. There are none unless something went wrong."""

import datetime
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection
from django.db.models import Min

from accounts.billing_calendar import Period
from accounts.models import Account
from accounts.sql_files import query
from accounts.terms import TermsHistory, terms_of
from rebilling.models import AWAITS_DECISION, Rebilling, SkipReason
from rebilling.period_rows import last_day_billed


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
        cursor.execute(query(__file__, "suspects"), {"as_of": as_of})
        suspects = [id_ for (id_,) in cursor.fetchall()]
    for offset in range(0, len(suspects), 500):
        ids = suspects[offset : offset + 500]
        rows = Rebilling.objects.filter(account_id__in=ids)
        counted = rows.exclude(status=Rebilling.Status.SKIPPED) | rows.filter(reason=SkipReason.BY_PERSON)
        existing = set(counted.values_list("account_id", "period_start"))
        waiting = rows.filter(AWAITS_DECISION).values("account_id").annotate(first=Min("period_start"))
        waiting_from = {row["account_id"]: row["first"] for row in waiting.order_by()}
        terms = terms_of(ids)
        for account in Account.objects.filter(id__in=ids).order_by("id"):
            # After a parked or held period an account has no rows, and needs none: it waits.
            until = min(as_of, waiting_from.get(account.id, as_of))
            until = last_day_billed(until, account.billing_stops_on)
            yield from _missing_of(account, terms[account.id], existing=existing, as_of=until)


def _missing_of(
    account: Account, terms: TermsHistory, *, existing: set[tuple[uuid.UUID, datetime.date]], as_of: datetime.date
) -> Iterator[MissingPeriod]:
    for period, in_force in terms.periods_due(since=account.first_rebilling_date, as_of=as_of):
        if (account.id, period.start) not in existing:
            yield MissingPeriod(
                account.id,
                account.billing_since,
                period,
                passed_over=period.start < account.rebilling_date,
                amount_minor=in_force.price_minor,
                currency=account.currency,
            )
