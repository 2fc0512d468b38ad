"""Periods are decided about under the lock of their own account: those of another account are refused."""

import datetime
from collections.abc import Callable
from typing import NamedTuple

import pytest
from django.db import transaction

from accounts.locked_accounts import LockedAccount, lock_account
from accounts.models import Account
from rebilling.locked_runs import lock_accounts_of_periods
from rebilling.models import ParkReason, Rebilling
from rebilling.period_states import Parking, cancel_periods, make_due, park, skip_by_person
from tests.builders import NOW, TODAY, QueueInHand, a_plan, an_account, statuses_of, swept
from tests.support.databases import rolled_back
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

WEEKS = datetime.timedelta(weeks=52)


class Parked(NamedTuple):
    """Two accounts, each with a period that is parked."""

    mine: Account
    other: Account

    @property
    def period_of_other(self) -> Rebilling:
        return self.other.rebillings.get()


@pytest.fixture
def parked(db: None) -> Parked:
    since = TODAY - WEEKS
    weekly = a_plan(interval_unit="week")
    mine, other = (an_account(plan=weekly, anchor_date=since, rebilling_date=since) for _ in range(2))
    swept(as_of=TODAY, queue=QueueInHand())
    assert statuses_of(mine) == statuses_of(other) == [(since, "PARKED")]
    return Parked(mine, other)


Act = Callable[[LockedAccount, Rebilling], object]


@pytest.mark.parametrize(
    "act",
    [
        lambda account, period: make_due([period], account=account, detail="", now=NOW),
        lambda account, period: skip_by_person(period, account=account, detail=""),
        lambda account, period: park(
            accounts=[account], parkings=[Parking(period, ParkReason.CHARGE_REFUSED)], now=NOW
        ),
        lambda account, period: cancel_periods(
            Rebilling.objects.filter(id=period.id),
            accounts=lock_accounts_of_periods(Rebilling.objects.filter(account_id=account.id)),
            detail="",
        ),
    ],
    ids=["make_due", "skip_by_person", "park", "cancel_periods"],
)
def test_a_period_of_an_account_that_is_not_locked_is_refused(parked: Parked, act: Act) -> None:
    period = parked.period_of_other
    with nothing_moves(), transaction.atomic():
        account = lock_account(parked.mine.id)
        with pytest.raises(ValueError, match=r"^a period's account isn't locked$"):
            act(account, period)
    period.refresh_from_db()
    assert period.status == "PARKED"
