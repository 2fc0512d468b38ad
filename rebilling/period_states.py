"""Every change of a billing period's state, but its beginning (`rebilling/period_rows.py`): CHARGED, SKIPPED with a
reason, PARKED until a person decides, DUE again, VOIDED, or cut off. Each takes the accounts, locked.
"""

import datetime
import logging
import uuid
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum

from accounts.array_literals import plain_array, text_array, uuid_array
from accounts.locked_accounts import LockedAccount, lock_accounts
from accounts.models import Account
from accounts.sql_files import query
from invoices.models import InvoiceLine
from rebilling.locked_runs import LockedAccountIds
from rebilling.metrics import emit
from rebilling.models import WAITING, ParkReason, Rebilling, SkipReason
from rebilling.period_items import free
from rebilling.run_states import reopen

logger = logging.getLogger(__name__)

BATCH_ROWS = 500


class Period(Protocol):
    """A rebilling, as a model or as a plain row."""

    @property
    def id(self) -> uuid.UUID: ...
    @property
    def account_id(self) -> uuid.UUID: ...
    @property
    def period_start(self) -> datetime.date: ...


class Parking(NamedTuple):
    """One period to park. `detail` is for the person who looks into it."""

    period: Period
    reason: ParkReason
    detail: str = ""


def mark_charged(due: Iterable[tuple[LockedAccount, Iterable[Period], uuid.UUID]]) -> set[uuid.UUID]:
    """Move these accounts' periods that are DUE to CHARGED in one statement, those of each account with its invoice's
    id. Returns those that moved.
    """
    invoices = [(period.id, invoice_id) for _, periods, invoice_id in due for period in periods]
    with connection.cursor() as cursor:
        cursor.execute(
            query(__file__, "move_to_charged"),
            {
                "ids": uuid_array([period_id for period_id, _ in invoices]),
                "invoices": uuid_array([invoice_id for _, invoice_id in invoices]),
            },
        )
        return {id_ for (id_,) in cursor.fetchall()}


def mark_voided(*, accounts: Collection[LockedAccount], ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the accounts' periods that are CHARGED, and of whose lines nothing is left to credit, are VOIDED. Of an
    invoice that was credited whole nothing is left, whatever its deductions were for. Returns those that moved.
    """
    charged = _of(accounts).filter(id__in=ids, status=Rebilling.Status.CHARGED)
    credited = F("invoice__credited_minor") + F("invoice__credited_to_balance_minor")
    lines = InvoiceLine.objects.filter(rebilling_id=OuterRef("pk"))
    left = (
        lines.exclude(invoice__total_minor=credited + F("invoice__credited_to_refund_minor"))
        .values("rebilling_id")
        .annotate(left=Sum(F("total_minor") - F("credited_minor")))
        .filter(left__gt=0)
    )
    voided = set(charged.filter(~Exists(left)).values_list("id", flat=True))
    charged.filter(id__in=voided).update(status=Rebilling.Status.VOIDED)
    return voided


def cut_off(*, accounts: Collection[LockedAccount], on: datetime.date) -> None:
    """The accounts' periods end on this day; one cut on its first day is VOIDED. Those that wait to be charged are
    SKIPPED: the days before are not billed.
    """
    skip_waiting(accounts)
    running = _of(accounts).filter(status=Rebilling.Status.CHARGED, ended_on__gt=on)
    running.filter(period_start__gte=on).update(status=Rebilling.Status.VOIDED, ended_on=F("period_start"))
    running.filter(period_start__lt=on).update(ended_on=on)


def make_due(rows: Sequence[Rebilling], *, account: LockedAccount, detail: str, now: datetime.datetime) -> None:
    """A person has decided that these PARKED periods of the account are to be charged, or what they waited for was
    decided.
    """
    _check_locked((row.account_id for row in rows), {account.id})
    for row in rows:
        row.status, row.reason, row.detail, row.due_since = Rebilling.Status.DUE, "", detail, now
    Rebilling.objects.bulk_update(rows, ["status", "reason", "detail", "due_since"])


def skip_by_person(rebilling: Rebilling, *, account: LockedAccount, detail: str) -> None:
    """A person has decided that this PARKED period of the account is never charged."""
    _check_locked([rebilling.account_id], {account.id})
    free(Rebilling.objects.filter(id=rebilling.id))
    rebilling.status, rebilling.reason, rebilling.detail = Rebilling.Status.SKIPPED, SkipReason.BY_PERSON, detail
    rebilling.save(update_fields=["status", "reason", "detail"])


def skip(*, accounts: Collection[LockedAccount], ids: Collection[uuid.UUID]) -> None:
    """Skip those of these accounts' periods that are DUE or PARKED: the accounts are INACTIVE, or will be by then."""
    if ids:
        _skip(_waiting(accounts).filter(id__in=ids))


def skip_from(account: LockedAccount, day: datetime.date) -> None:
    """Skip the account's periods that are DUE or PARKED and start on this day or later: it is closed or paused then."""
    _skip(_waiting([account]).filter(period_start__gte=day))


def skip_waiting(accounts: Collection[LockedAccount]) -> int:
    """Skip all periods of these accounts that are DUE or PARKED: the accounts are INACTIVE, or begin anew. Returns how
    many.
    """
    return _skip(_waiting(accounts))


def _skip(waiting: QuerySet[Rebilling]) -> int:
    reopen(_runs_of_parked(waiting))
    free(waiting)
    return waiting.update(status=Rebilling.Status.SKIPPED, reason=SkipReason.ACCOUNT_INACTIVE)


def _of(accounts: Collection[LockedAccount]) -> QuerySet[Rebilling]:
    return Rebilling.objects.filter(account_id__in=[account.id for account in accounts])


def _waiting(accounts: Collection[LockedAccount]) -> QuerySet[Rebilling]:
    return _of(accounts).filter(status__in=WAITING)


def _runs_of_parked(decided: QuerySet[Rebilling]) -> set[uuid.UUID]:
    return set(decided.filter(status=Rebilling.Status.PARKED).values_list("run_id", flat=True))


def skip_inactive() -> int:
    """Skip the waiting periods of INACTIVE accounts, whatever made them so. Returns how many periods."""
    waiting = Rebilling.objects.filter(status__in=WAITING, account__status=Account.Status.INACTIVE)
    skipped = 0
    while ids := list(waiting.order_by("account_id").values_list("account_id", flat=True)[:BATCH_ROWS]):
        with transaction.atomic():
            skipped += skip_waiting([account for account in lock_accounts(ids).values() if account.is_inactive])
    return skipped


def cancel_periods(waiting: QuerySet[Rebilling], *, accounts: LockedAccountIds, detail: str) -> int:
    """Skip periods of these accounts that are DUE or PARKED, as if no sweep had found them: the next one finds what is
    due then.

    Later periods of these accounts that another sweep wrote, and that wait for these, go with them; perhaps they wait
    not only for these, and then they are found anew, too. Returns how many went.
    """
    _check_locked(waiting.values_list("account_id", flat=True).distinct(), accounts)
    earlier = waiting.filter(account=OuterRef("account"), period_start__lt=OuterRef("period_start"))
    waits = Q(status=Rebilling.Status.DUE) | Q(reason=ParkReason.EARLIER_PERIOD_PARKED)
    behind = Rebilling.objects.filter(waits, Exists(earlier), account__in=waiting.values("account"))
    both = Rebilling.objects.filter(Q(id__in=waiting.values("id")) | Q(id__in=behind.values("id")))
    reopen(_runs_of_parked(both))
    free(both)
    return both.update(status=Rebilling.Status.SKIPPED, reason=SkipReason.RUN_CANCELLED, detail=detail)


def park(*, accounts: Collection[LockedAccount], parkings: Collection[Parking], now: datetime.datetime) -> None:
    """Park periods of these accounts that are DUE, in one statement; once committed, each is logged as an error."""
    if not parkings:
        return
    _check_locked((parking.period.account_id for parking in parkings), {account.id for account in accounts})
    with connection.cursor() as cursor:
        cursor.execute(
            query(__file__, "park"),
            {
                "ids": uuid_array([parking.period.id for parking in parkings]),
                "reasons": plain_array([parking.reason.value for parking in parkings]),
                "details": text_array([parking.detail[:500] for parking in parkings]),
            },
        )
    for parking in parkings:
        log_parked(parking)
    transaction.on_commit(partial(emit, now=now, parked=len(parkings)))


def _check_locked(of_periods: Iterable[uuid.UUID], locked: Collection[uuid.UUID]) -> None:
    """Raise `ValueError` unless all these accounts, which are those of periods, are among the `locked` ones."""
    if not all(account_id in locked for account_id in of_periods):
        raise ValueError("a period's account isn't locked")


def log_parked(parking: Parking) -> None:
    """A parked period waits until a person sees it, so it is logged as an error. What is rolled back, as a preview is,
    parked nothing.
    """
    transaction.on_commit(partial(_log_parked, parking))


def _log_parked(parking: Parking) -> None:
    logger.error(
        "a period was parked",
        extra={
            "event": "rebilling.parked",
            "account": str(parking.period.account_id),
            "period_start": parking.period.period_start.isoformat(),
            "reason": parking.reason.value,
            "detail": parking.detail,
        },
    )
