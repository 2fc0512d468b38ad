"""Terms: what an account is billed, and from which day. A period costs what those in force on its first day say."""

import datetime
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet, Subquery

from accounts.array_literals import uuid_array
from accounts.billing_calendar import Interval, IntervalUnit, Period, index_on_or_after, period
from accounts.locked_accounts import LockedAccount
from accounts.models import CUT_PENDING, Account, Terms
from accounts.sql_files import query


class TermsInForce(NamedTuple):
    """One row of an account's terms, with its plan's name and interval. Amounts in minor units, for each unit.

    `cuts_period`: a period is to be cut on their first day, and wasn't yet.
    """

    effective_from: datetime.date
    plan_id: uuid.UUID
    plan_code: str
    plan_name: str
    interval: Interval
    quantity: int
    unit_amount_minor: int
    anchor_date: datetime.date
    id: uuid.UUID | None = None
    cuts_period: bool = False

    @property
    def price_minor(self) -> int:
        """What one period costs."""
        return self.quantity * self.unit_amount_minor


class TermsHistory:
    """All terms of one account, the earliest first; of several for one day the newest is the last.

    `cut` are the terms on whose first day a period is still to be cut, if there are any. They are pending until the
    daily run has done so, be it late: till then no period from that day on is due.
    """

    def __init__(self, rows: Sequence[TermsInForce], *, cut: TermsInForce | None = None) -> None:
        self.rows = rows
        self.cut = cut

    def in_force(self, day: datetime.date) -> TermsInForce:
        """The terms on that day; before the first of them, the first."""
        found = self.rows[0]
        for row in self.rows:
            if row.effective_from > day:
                break
            found = row
        return found

    def pending(self, day: datetime.date) -> TermsInForce | None:
        """The terms that are agreed, and not in force on that day yet."""
        return self.cut or next((row for row in reversed(self.rows) if row.effective_from > day), None)

    def periods_due(self, *, since: datetime.date, as_of: datetime.date) -> Iterator[tuple[Period, TermsInForce]]:
        """The periods that start from `since` to `as_of`, both included, in order, each with its terms; whole, and
        none that starts on the day on which one is to be cut, or later.
        """
        start = since
        if self.cut:
            as_of = min(as_of, self.cut.effective_from - datetime.timedelta(days=1))
        while True:
            terms = self.in_force(start)
            index = index_on_or_after(anchor=terms.anchor_date, interval=terms.interval, day=start)
            due = period(anchor=terms.anchor_date, interval=terms.interval, index=index)
            if due.start > as_of:
                return
            if due.start > start:
                # Other terms may be in force by then.
                start = due.start
                continue
            yield due, terms
            start = due.end


def terms_of(account_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, TermsHistory]:
    """The terms of these accounts, in one statement."""
    rows: dict[uuid.UUID, list[TermsInForce]] = defaultdict(list)
    cuts: dict[uuid.UUID, TermsInForce] = {}
    with connection.cursor() as cursor:
        cursor.execute(query(__file__, "terms_of_accounts"), {"accounts": uuid_array(account_ids)})
        for account_id, effective_from, plan_id, code, name, count, unit, *rest in cursor.fetchall():
            terms = TermsInForce(effective_from, plan_id, code, name, _interval(count, unit), *rest)
            if terms.cuts_period:
                cuts[account_id] = terms
            else:
                rows[account_id].append(terms)
    return {account_id: TermsHistory(found, cut=cuts.get(account_id)) for account_id, found in rows.items()}


@cache
def _interval(count: int, unit: str) -> Interval:
    """One object for each of the few intervals that there are."""
    return Interval(count=count, unit=IntervalUnit(unit))


def withdraw(pending: Sequence[tuple[LockedAccount, TermsInForce]], *, reason: str, now: datetime.datetime) -> None:
    """Take back terms that are agreed and not in force yet; noted for their accounts' histories, unsaved."""
    if not pending:
        return
    Terms.objects.filter(id__in=[terms.id for _, terms in pending]).update(withdrawn_at=now)
    for account, terms in pending:
        account.note(
            reason=reason, before={"pending_terms": terms.effective_from.isoformat()}, after={"pending_terms": None}
        )


def withdraw_pending(
    accounts: Collection[LockedAccount], *, reason: str, today: datetime.date, now: datetime.datetime
) -> None:
    """Take back what is agreed for a later day of these accounts, as `withdraw`."""
    histories = terms_of([account.id for account in accounts])
    pending = [(account, terms) for account in accounts if (terms := histories[account.id].pending(today))]
    withdraw(pending, reason=reason, now=now)


def on_plan(accounts: QuerySet[Account], *, plan_id: uuid.UUID, today: datetime.date) -> QuerySet[Account]:
    """Those of the accounts whose terms in force today are of this plan."""
    newest = Terms.objects.filter(account=OuterRef("account"), effective_from__lte=today, withdrawn_at__isnull=True)
    newest = newest.exclude(CUT_PENDING)
    in_force = Subquery(newest.order_by("-effective_from", "-id").values("id")[:1])
    return accounts.filter(Exists(Terms.objects.filter(account=OuterRef("pk"), plan_id=plan_id, id=in_force)))


def add_terms(
    *, terms: Mapping[uuid.UUID, TermsInForce], reason: str, author: str, now: datetime.datetime
) -> list[Terms]:
    """Write an account's terms down, by account; they are in force from `effective_from`."""
    return Terms.objects.bulk_create(
        Terms(
            account_id=account_id,
            effective_from=added.effective_from,
            plan_id=added.plan_id,
            quantity=added.quantity,
            unit_amount_minor=added.unit_amount_minor,
            anchor_date=added.anchor_date,
            cuts_period=added.cuts_period,
            reason=reason,
            author=author,
            created_at=now,
        )
        for account_id, added in terms.items()
    )
