"""What a change of an invoice does to its periods: they are VOIDED, or cut off (`invoices/period_claims.py`)."""

import datetime
import uuid
from collections.abc import Collection

from django.db.models import F, QuerySet

from accounts.locked_accounts import LockedAccount
from rebilling.models import Rebilling
from rebilling.skip_and_park import skip_waiting


class RebillingClaims:
    """The claims on billing periods, as invoices know them; of locked accounts."""

    def void(self, *, accounts: Collection[LockedAccount], rebilling_ids: Collection[uuid.UUID]) -> None:
        """Their lines were credited whole: the periods are VOIDED. They count as covered."""
        charged = _of(accounts).filter(id__in=rebilling_ids, status=Rebilling.Status.CHARGED)
        charged.update(status=Rebilling.Status.VOIDED)

    def running(self, *, accounts: Collection[LockedAccount], on: datetime.date) -> list[uuid.UUID]:
        """The accounts' periods that were charged and go on after this day begins: neither VOIDED nor cut off."""
        charged = _of(accounts).filter(status=Rebilling.Status.CHARGED)
        return list(charged.filter(period_start__lte=on, ended_on__gt=on).values_list("id", flat=True))

    def cut_off(self, *, accounts: Collection[LockedAccount], on: datetime.date) -> None:
        """The accounts' periods are cut off on this day; one cut on its first day is VOIDED. Those that
        wait to be charged are SKIPPED: the days before are not billed.
        """
        skip_waiting(accounts)
        running = _of(accounts).filter(status=Rebilling.Status.CHARGED, ended_on__gt=on)
        running.filter(period_start__gte=on).update(status=Rebilling.Status.VOIDED, ended_on=F("period_start"))
        running.filter(period_start__lt=on).update(ended_on=on)


def _of(accounts: Collection[LockedAccount]) -> QuerySet[Rebilling]:
    return Rebilling.objects.filter(account_id__in=[account.id for account in accounts])
