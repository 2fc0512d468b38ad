"""The effect of an invoice's change on its billing periods. Periods are claimed by rebilling, a layer above: it says
here what to do, when Django starts (`rebilling/apps.py`).
"""

import datetime
import uuid
from collections.abc import Collection
from typing import Protocol

from accounts.locked_accounts import LockedAccount


class PeriodClaims(Protocol):
    """The claims on billing periods of locked accounts."""

    def void(self, *, accounts: Collection[LockedAccount], rebilling_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
        """Void those of these periods of whose lines, some of which were credited whole, nothing is left. Returns
        them.
        """
        ...

    def running(self, *, accounts: Collection[LockedAccount], on: datetime.date) -> list[uuid.UUID]:
        """The rebillings of the accounts' periods that run on this day."""
        ...

    def cut_off(self, *, accounts: Collection[LockedAccount], on: datetime.date) -> None:
        """The accounts' periods end by this day: new ones begin then, or none does."""
        ...


_registered: list[PeriodClaims] = []


def register(claims: PeriodClaims) -> None:
    _registered[:] = [claims]


def period_claims() -> PeriodClaims:
    """Those that were registered."""
    return _registered[0]
