"""Skipping and parking: SKIPPED periods won't be charged, PARKED ones wait for a person. Each has a reason."""

import datetime
import logging
from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from rebilling.metrics import emit
from rebilling.models import ParkReason, Rebilling, SkipReason

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parking:
    """One period to park. `detail` is for the person who decides about it."""

    rebilling: Rebilling
    reason: ParkReason
    detail: str = ""


def skip(*, rebillings: Collection[Rebilling], reason: SkipReason) -> None:
    """Skip periods that are DUE or PARKED, in one statement. The caller has locked their accounts."""
    if rebillings:
        Rebilling.objects.filter(
            id__in=[row.id for row in rebillings], status__in=[Rebilling.Status.DUE, Rebilling.Status.PARKED]
        ).update(status=Rebilling.Status.SKIPPED, reason=reason)


def cancel_periods(waiting: QuerySet[Rebilling], *, detail: str) -> int:
    """Skip periods that are DUE or PARKED as if no sweep had found them: the next one finds again what is due then.

    Later periods of these accounts that another sweep wrote, and that wait for these, are skipped with them, also when
    they wait for others too: the next sweep finds them again. The caller has locked the accounts. Returns how many
    periods were skipped.
    """
    earlier = waiting.filter(account=OuterRef("account"), period_start__lt=OuterRef("period_start"))
    waits = Q(status=Rebilling.Status.DUE) | Q(reason=ParkReason.EARLIER_PERIOD_PARKED)
    behind = Rebilling.objects.filter(waits, Exists(earlier), account__in=waiting.values("account"))
    both = Rebilling.objects.filter(Q(id__in=waiting.values("id")) | Q(id__in=behind.values("id")))
    return both.update(status=Rebilling.Status.SKIPPED, reason=SkipReason.RUN_CANCELLED, detail=detail)


_PARK = """
    UPDATE rebilling_rebilling AS row SET status = 'PARKED', reason = parking.reason, detail = parking.detail
    FROM unnest(%(ids)s::uuid[], %(reasons)s::text[], %(details)s::text[]) AS parking (id, reason, detail)
    WHERE row.id = parking.id AND row.status = 'DUE'
"""


def park(*, parkings: Collection[Parking], now: datetime.datetime) -> None:
    """Park periods that are DUE, in one statement, and log each as an error. The caller has locked their accounts."""
    if not parkings:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _PARK,
            {
                "ids": [parking.rebilling.id for parking in parkings],
                "reasons": [parking.reason.value for parking in parkings],
                "details": [parking.detail[:500] for parking in parkings],
            },
        )
    for parking in parkings:
        log_parked(parking)
    emit(now=now, parked=len(parkings))


def log_parked(parking: Parking) -> None:
    """A parked period waits for a person, so it is logged as an error."""
    logger.error(
        "a period was parked",
        extra={
            "event": "rebilling.parked",
            "account": str(parking.rebilling.account_id),
            "period_start": parking.rebilling.period_start.isoformat(),
            "reason": parking.reason.value,
            "detail": parking.detail,
        },
    )
