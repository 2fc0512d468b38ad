"""Decisions about parked periods: a person releases, skips or cancels them."""

import datetime
import uuid
from collections.abc import Collection

from django.db import transaction

from accounts.billing_day import billing_day
from accounts.errors import Conflict, Missing
from accounts.locked_accounts import LockedAccount, lock_account, save_accounts
from accounts.models import Account
from accounts.reasons import checked_reason, signed
from accounts.tax_rates import default_tax_rate_id
from accounts.terms import terms_of
from rebilling.locked_runs import lock_accounts_of_periods, lock_runs
from rebilling.models import ParkReason, Rebilling, Run
from rebilling.period_discounts import discounts_of
from rebilling.period_items import items_of
from rebilling.period_rows import due_rows, write_rows
from rebilling.period_states import cancel_periods, make_due, skip_by_person
from rebilling.run_review import UnknownRun, check_sweep_ended
from rebilling.run_states import reopen


class UnknownRebilling(Missing):
    code = "unknown-rebilling"


class NotParked(Conflict):
    code = "not-parked"


class NotItsTurn(Conflict):
    code = "earlier-periods-first"
    passing = True


class NotBegun(Conflict):
    """The period starts after today and can't be charged yet."""

    code = "period-not-begun"


class NothingParked(Conflict):
    code = "nothing-parked"


def release_parked(*, rebilling_id: uuid.UUID, reason: str, author: str, now: datetime.datetime) -> Rebilling:
    """Make a parked period DUE again, and those of its account that were parked only because of it.

    For an account with too many due periods, 36 become DUE, none of which starts after today. The next sweep or hourly
    check sends them. Raises `UnknownRebilling`, `NotParked`, `NotBegun` and `InvalidReason`.
    """
    detail = signed(checked_reason(reason), author)
    with transaction.atomic():
        account, rebilling = _lock_parked(rebilling_id)
        if rebilling.period_start > billing_day(now):
            raise NotBegun(f"The period starts on {rebilling.period_start}: release it from then on, or skip it.")
        released = [rebilling, *_parked_behind(rebilling, today=billing_day(now))]
        too_many = rebilling.reason == ParkReason.TOO_MANY_PERIODS
        make_due(released, account=account, detail=detail, now=now)
        if too_many:
            _write_next_periods(account, rebilling, since=rebilling.period_start, now=now)
        _bill_from_now(released, now)
        reopen({row.run_id for row in released})
        return rebilling


def skip_parked(*, rebilling_id: uuid.UUID, reason: str, author: str, now: datetime.datetime) -> Rebilling:
    """Skip a parked period: it is never charged, and its account goes on with the next one.

    Periods that were parked only because of it are DUE again. Raises as `release_parked`, and `NotItsTurn` while an
    earlier period is still to be charged: this one would be found due again after it, and charged.
    """
    reason = checked_reason(reason)
    detail = signed(reason, author)
    with transaction.atomic():
        account, rebilling = _lock_parked(rebilling_id)
        if account.rebilling_date < rebilling.period_start:
            raise NotItsTurn(f"Earlier periods come first: the account goes on at {account.rebilling_date}.")
        behind = _parked_behind(rebilling, today=billing_day(now))
        too_many = rebilling.reason == ParkReason.TOO_MANY_PERIODS
        skip_by_person(rebilling, account=account, detail=detail)
        if account.rebilling_date == rebilling.period_start:
            account.skip_to(rebilling.period_end, reason=reason)
            save_accounts([account], author=author, now=now)
        make_due(behind, account=account, detail=detail, now=now)
        if too_many:
            _write_next_periods(account, rebilling, since=rebilling.period_end, now=now)
        _bill_from_now([rebilling, *behind], now)
        reopen({row.run_id for row in (rebilling, *behind)})
        return rebilling


def cancel_parked(*, run_id: uuid.UUID, reason: str, author: str, now: datetime.datetime) -> Run:
    """Cancel all parked periods of a run, HELD or not; the next sweep finds again what is due then.

    For periods parked because of a wrong date or import, once that is corrected. Their accounts' rebilling dates don't
    change, nor do the run's other periods. Raises `UnknownRun`, `StillSweeping`, `NothingParked` and `InvalidReason`.
    """
    detail = signed(checked_reason(reason), author)
    with transaction.atomic():
        run = Run.objects.filter(id=run_id).first()
        if run is None:
            raise UnknownRun(f"There is no run {run_id}.")
        parked = run.rebillings.filter(status=Rebilling.Status.PARKED)
        # Only those that are still parked once the accounts are locked.
        accounts = lock_accounts_of_periods(parked)
        parked = parked.filter(account_id__in=accounts)
        (run,) = lock_runs(Run.objects.filter(id=run_id))
        check_sweep_ended(run)
        rows = list(parked)
        if not rows:
            raise NothingParked("The run has no parked periods.")
        cancel_periods(parked, accounts=accounts, detail=detail)
        _bill_from_now(rows, now)
        run.refresh_from_db()
        return run


def _lock_parked(rebilling_id: uuid.UUID) -> tuple[LockedAccount, Rebilling]:
    found = Rebilling.objects.filter(id=rebilling_id).first()
    if found is None:
        raise UnknownRebilling(f"There is no rebilling {rebilling_id}.")
    account = lock_account(found.account_id)
    rebilling = Rebilling.objects.get(id=rebilling_id)
    if rebilling.status != Rebilling.Status.PARKED:
        raise NotParked(f"The period is {rebilling.status}, not PARKED.")
    return account, rebilling


def _parked_behind(rebilling: Rebilling, *, today: datetime.date) -> list[Rebilling]:
    """The later periods that have begun and wait only for this one: up to the next one with its own park reason."""
    behind = []
    later = Rebilling.objects.filter(
        account_id=rebilling.account_id, status=Rebilling.Status.PARKED, period_start__gt=rebilling.period_start
    )
    for row in later.order_by("period_start"):
        if row.reason != ParkReason.EARLIER_PERIOD_PARKED or row.period_start > today:
            break
        behind.append(row)
    return behind


def _write_next_periods(
    account: LockedAccount, rebilling: Rebilling, *, since: datetime.date, now: datetime.datetime
) -> None:
    """Write rows for the next 36 periods that were due by the run's date; if there are more, the one after is PARKED.

    Whatever the run's date, nothing that starts after today is due, or from the day of a pending closing or pause on.
    """
    items = items_of([account])
    rows = due_rows(
        account=account,
        terms=terms_of([account.id])[account.id],
        discount=discounts_of([account]).get(account.id),
        items=items[account.id],
        default_tax_rate=default_tax_rate_id(now=now),
        run=rebilling.run,
        since=since,
        until=min(rebilling.run.as_of, billing_day(now)),
        park_after_limit=True,
        now=now,
    )
    write_rows(rows, items=items.values())


def _bill_from_now(rows: Collection[Rebilling], now: datetime.datetime) -> None:
    """Having waited for a person, the accounts are billed from now on."""
    Account.objects.filter(id__in={row.account_id for row in rows}).update(billing_since=now)
