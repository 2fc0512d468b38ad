"""Due periods: the rows that a sweep writes for an account, each with the price that is fixed for it."""

import datetime
import uuid
from collections.abc import Collection
from itertools import islice
from typing import Protocol

from accounts.billing_calendar import MAX_DUE_PERIODS, Period
from accounts.phrases import period_in_words
from accounts.terms import TermsHistory, TermsInForce
from invoices.taxes import tax_rate_of
from rebilling.models import ParkReason, Rebilling, Run
from rebilling.period_discounts import AccountDiscount
from rebilling.period_items import AccountItems, save_fixed
from rebilling.period_states import Parking, log_parked


class DueAccount(Protocol):
    """What finding an account's due periods needs of it: a row, or a locked account."""

    @property
    def id(self) -> uuid.UUID: ...
    @property
    def status(self) -> str: ...
    @property
    def currency(self) -> str: ...
    @property
    def rebilling_date(self) -> datetime.date: ...
    @property
    def billing_stops_on(self) -> datetime.date | None: ...
    @property
    def tax_rate_id(self) -> uuid.UUID | None: ...
    @property
    def discount_id(self) -> uuid.UUID | None: ...


def due_rows(
    *,
    account: DueAccount,
    terms: TermsHistory,
    discount: AccountDiscount | None,
    items: AccountItems | None,
    default_tax_rate: uuid.UUID | None,
    run: Run,
    since: datetime.date,
    until: datetime.date,
    park_after_limit: bool,
    now: datetime.datetime,
) -> list[Rebilling]:
    """A DUE row, unsaved, for each period of the account that starts from `since` to `until`, and before the account is
    to be closed or paused.

    The price is fixed here, with its discount, the rate of its tax, and the items that wait: what passes the volume
    check is what is charged.
    When there are more than 36 periods, the first is PARKED and the others get no row; with `park_after_limit`, 36 are
    DUE and the one after them is PARKED.
    """
    as_of = last_day_billed(until, account.billing_stops_on)
    periods = list(islice(terms.periods_due(since=since, as_of=as_of), MAX_DUE_PERIODS + 1))
    tax_rate_id = tax_rate_of(account, default_id=default_tax_rate)
    rows = [
        Rebilling(
            run=run,
            account_id=account.id,
            period_start=period.start,
            period_end=period.end,
            ended_on=period.end,
            status=Rebilling.Status.DUE,
            description=described(period, in_force),
            quantity=in_force.quantity,
            unit_amount_minor=in_force.unit_amount_minor,
            amount_minor=in_force.price_minor,
            tax_rate_id=tax_rate_id,
            currency=account.currency,
            due_since=now,
        )
        for period, in_force in periods
    ]
    if len(rows) > MAX_DUE_PERIODS:
        rows = rows if park_after_limit else rows[:1]
        rows[-1].status, rows[-1].reason = Rebilling.Status.PARKED, ParkReason.TOO_MANY_PERIODS
        rows[-1].detail = f"more than {MAX_DUE_PERIODS} periods are due"
    if discount:
        for row in rows:
            discount.take_off(row)
    if items:
        items.fix_to(rows)
    return rows


def last_day_billed(day: datetime.date, billing_stops_on: datetime.date | None) -> datetime.date:
    """The last day on which a period may start that is billed by `day`: before a pending closing or pause."""
    return day if billing_stops_on is None else min(day, billing_stops_on - datetime.timedelta(days=1))


def described(period: Period, terms: TermsInForce) -> str:
    """What the invoice's line says: the plan, the quantity, and the days."""
    units = units_in_words(plan_name=terms.plan_name, quantity=terms.quantity)
    return f"{units}, {period_in_words(start=period.start, end=period.end)}"


def units_in_words(*, plan_name: str, quantity: int) -> str:
    """What is billed: "Pro", "Pro x 3"."""
    return f"{plan_name} x {quantity}" if quantity > 1 else plan_name


def write_rows(rows: Collection[Rebilling], *, items: Collection[AccountItems] = ()) -> None:
    """Insert the rows that don't exist yet, by the unique key on (account, period_start), and which items are fixed to
    which of them.
    """
    Rebilling.objects.bulk_create(rows, ignore_conflicts=True)
    save_fixed(items)
    for row in rows:
        if row.status == Rebilling.Status.PARKED:
            log_parked(Parking(row, ParkReason.TOO_MANY_PERIODS, row.detail))
