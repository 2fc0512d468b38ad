"""What people do about parked periods: let them be charged after all, skip them, or have them found anew."""

import datetime
import uuid

from django.db import transaction

from accounts.billing_day import billing_day
from accounts.locks import lock_account, lock_accounts
from accounts.models import Account
from accounts.refusals import Conflict, Missing
from rebilling.held import UnknownRun, check_sweep_ended
from rebilling.models import ParkReason, Rebilling, Run, SkipReason
from rebilling.reasons import checked_reason, signed
from rebilling.setting_aside import give_up
from rebilling.sweep import rows_for, write_rows


class UnknownRebilling(Missing):
    code = "unknown-rebilling"


class NotParked(Conflict):
    code = "not-parked"


class NotItsTurn(Conflict):
    code = "earlier-periods-first"
    passing = True


class NotBegun(Conflict):
    """The period starts after today: it isn't charged before."""

    code = "period-not-begun"


class NothingParked(Conflict):
    code = "nothing-parked"


def release_parked(*, rebilling_id: uuid.UUID, reason: str, author: str, now: datetime.datetime) -> Rebilling:
    """Make a parked period DUE again, and those of its account that were parked only because of it.

    Of an account with too many due periods this lets 36 go, none of them past today. The next sweep or hourly certify
    sends them. Raises `UnknownRebilling`, `NotParked`, `NotBegun` and `ReasonMissing`.
    """
    detail = signed(checked_reason(reason), author)
    with transaction.atomic():
        rebilling = _lock_parked(rebilling_id)
        if rebilling.period_start > billing_day(now):
            raise NotBegun(f"The period starts on {rebilling.period_start}: release it from then on, or skip it.")
        released = [rebilling, *_parked_behind(rebilling, today=billing_day(now))]
        too_many = rebilling.reason == ParkReason.TOO_MANY_PERIODS
        _make_due(released, detail, now)
        if too_many:
            _let_go(rebilling, since=rebilling.period_start, now=now)
        _answer_anew(released, now)
        return rebilling


def skip_parked(*, rebilling_id: uuid.UUID, reason: str, author: str, now: datetime.datetime) -> Rebilling:
    """Give up a parked period: it is never charged, and its account goes on with the next one.

    Periods that were parked only because of it are DUE again. Raises as `release_parked`, and `NotItsTurn` while an
    earlier period is still to be charged: the account would come to this one afterwards, and charge it.
    """
    detail = signed(checked_reason(reason), author)
    with transaction.atomic():
        rebilling = _lock_parked(rebilling_id)
        if rebilling.account.rebilling_date < rebilling.period_start:
            raise NotItsTurn(f"Earlier periods come first: the account goes on at {rebilling.account.rebilling_date}.")
        behind = _parked_behind(rebilling, today=billing_day(now))
        too_many = rebilling.reason == ParkReason.TOO_MANY_PERIODS
        rebilling.status, rebilling.reason, rebilling.detail = Rebilling.Status.SKIPPED, SkipReason.BY_PERSON, detail
        rebilling.save(update_fields=["status", "reason", "detail"])
        account = rebilling.account
        if account.rebilling_date == rebilling.period_start:
            Account.objects.filter(id=account.id).update(rebilling_date=rebilling.period_end)
        _make_due(behind, detail, now)
        if too_many:
            _let_go(rebilling, since=rebilling.period_end, now=now)
        _answer_anew([rebilling, *behind], now)
        return rebilling


def cancel_parked(*, run_id: uuid.UUID, reason: str, author: str, now: datetime.datetime) -> Run:
    """Give up all parked periods of a run, HELD or let through; the next sweep finds again what is due then.

    For what a wrong date or import has parked, once that is corrected. Their accounts' rebilling dates stay, and so do
    the run's other periods. Raises `UnknownRun`, `StillSwept`, `NothingParked` and `ReasonMissing`.
    """
    detail = signed(checked_reason(reason), author)
    with transaction.atomic():
        run = Run.objects.filter(id=run_id).first()
        if run is None:
            raise UnknownRun(f"There is no run {run_id}.")
        parked = run.rebillings.filter(status=Rebilling.Status.PARKED)
        # Those that are parked once the accounts are locked, and no others.
        parked = parked.filter(account_id__in=lock_accounts(parked.values_list("account_id", flat=True)))
        run = Run.objects.select_for_update(no_key=True).get(id=run_id)
        check_sweep_ended(run)
        rows = list(parked)
        if not rows:
            raise NothingParked("The run has no parked periods.")
        give_up(parked, detail=detail)
        _answer_anew(rows, now)
        run.refresh_from_db()
        return run


def _lock_parked(rebilling_id: uuid.UUID) -> Rebilling:
    found = Rebilling.objects.filter(id=rebilling_id).first()
    if found is None:
        raise UnknownRebilling(f"There is no rebilling {rebilling_id}.")
    lock_account(found.account_id)
    rebilling = Rebilling.objects.select_related("account").get(id=rebilling_id)
    if rebilling.status != Rebilling.Status.PARKED:
        raise NotParked(f"The period is {rebilling.status}, not PARKED.")
    return rebilling


def _parked_behind(rebilling: Rebilling, *, today: datetime.date) -> list[Rebilling]:
    """The periods that wait only for this one and have begun: those up to the next with a reason of its own."""
    behind = []
    later = Rebilling.objects.filter(
        account_id=rebilling.account_id, status=Rebilling.Status.PARKED, period_start__gt=rebilling.period_start
    )
    for row in later.order_by("period_start"):
        if row.reason != ParkReason.EARLIER_PERIOD_PARKED or row.period_start > today:
            break
        behind.append(row)
    return behind


def _make_due(rows: list[Rebilling], detail: str, now: datetime.datetime) -> None:
    for row in rows:
        row.status, row.reason, row.detail, row.due_since = Rebilling.Status.DUE, "", detail, now
    Rebilling.objects.bulk_update(rows, ["status", "reason", "detail", "due_since"])


def _let_go(rebilling: Rebilling, *, since: datetime.date, now: datetime.datetime) -> None:
    """Write down the next 36 periods that were due by the run's date; were there more, the one after them is PARKED.

    Whatever the run's date is: nothing that starts after today is due.
    """
    run, until = rebilling.run, min(rebilling.run.as_of, billing_day(now))
    write_rows(rows_for(account=rebilling.account, run=run, since=since, until=until, let_go=True, now=now))


def _answer_anew(rows: list[Rebilling], now: datetime.datetime) -> None:
    """The accounts waited for a person until now, and the runs of their periods are to be certified again."""
    Account.objects.filter(id__in={row.account_id for row in rows}).update(billing_since=now)
    # Locked whatever their status, so that a run isn't certified between this look and our commit.
    runs = Run.objects.select_for_update(no_key=True).filter(id__in={row.run_id for row in rows}).order_by("id")
    certified = [run.id for run in runs if run.status == Run.Status.CERTIFIED]
    Run.objects.filter(id__in=certified).update(status=Run.Status.OPEN, certified_at=None)
