"""What a change of an invoice does to its periods: they are VOIDED, or cut off (`invoices/period_claims.py`)."""

import datetime
import uuid
from collections.abc import Collection

from accounts.locked_accounts import LockedAccount
from rebilling.models import Rebilling
from rebilling.period_states import cut_off, mark_voided


class RebillingClaims:
    """The claims on billing periods, as invoices know them; of locked accounts."""

    def void(self, *, accounts: Collection[LockedAccount], rebilling_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
        """Lines of theirs were credited whole: of which nothing is left, they are VOIDED. They count as covered."""
        return mark_voided(accounts=accounts, ids=rebilling_ids)

    def running(self, *, accounts: Collection[LockedAccount], on: datetime.date) -> list[uuid.UUID]:
        """The accounts' periods that were charged and go on after this day begins: neither VOIDED nor cut off."""
        charged = Rebilling.objects.filter(
            account_id__in=[account.id for account in accounts], status=Rebilling.Status.CHARGED
        )
        return list(charged.filter(period_start__lte=on, ended_on__gt=on).values_list("id", flat=True))

    def cut_off(self, *, accounts: Collection[LockedAccount], on: datetime.date) -> None:
        """The accounts' periods end on this day, and no day before it is billed any more."""
        cut_off(accounts=accounts, on=on)
