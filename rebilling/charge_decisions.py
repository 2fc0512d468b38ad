"""Which periods of a batch are charged, skipped, parked or left DUE, once their accounts are locked."""

import datetime
import logging
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from accounts.models import Account
from rebilling.messages.message import PeriodKey
from rebilling.models import ParkReason, Rebilling
from rebilling.skip_and_park import Parking

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Decision:
    """What to do with a batch's DUE periods."""

    charge: list[Rebilling] = field(default_factory=list)
    skip: list[Rebilling] = field(default_factory=list)
    park: list[Parking] = field(default_factory=list)


def decide(*, accounts: Sequence[Account], keys: Collection[PeriodKey], today: datetime.date) -> Decision:
    """Decide about the locked accounts' DUE periods, by each account's status and the period that is next in line."""
    waiting = (
        Rebilling.objects.filter(
            account_id__in=[account.id for account in accounts],
            status__in=[Rebilling.Status.DUE, Rebilling.Status.PARKED],
        )
        .select_related("run")
        .order_by("account_id", "period_start")
    )
    by_account: dict[uuid.UUID, list[Rebilling]] = {}
    for row in waiting:
        by_account.setdefault(row.account_id, []).append(row)
    decision = Decision()
    for account in accounts:
        _decide_account(account, by_account.get(account.id, []), keys, decision, today=today)
    return decision


def _decide_account(
    account: Account,
    waiting: Iterable[Rebilling],
    keys: Collection[PeriodKey],
    decision: Decision,
    *,
    today: datetime.date,
) -> None:
    """`waiting` are the account's DUE and PARKED rows in order."""
    expected = account.rebilling_date
    parked = False
    for row in waiting:
        # Nothing of a run that hasn't passed the volume check is charged, whatever message names it.
        in_batch = PeriodKey.of(row) in keys and row.run.passed_at is not None
        if row.status == Rebilling.Status.PARKED:
            parked = True
        elif not in_batch:
            # An earlier period is in another batch, or held: the later ones stay DUE until it is charged.
            return
        elif row.period_start > today:
            _log_not_begun(row, today)
            return
        elif account.status == Account.Status.INACTIVE:
            decision.skip.append(row)
        elif parked:
            decision.park.append(Parking(rebilling=row, reason=ParkReason.EARLIER_PERIOD_PARKED))
        elif row.period_start != expected:
            parked = True
            detail = f"the account's rebilling date is {expected}"
            decision.park.append(Parking(rebilling=row, reason=ParkReason.NOT_THE_NEXT_PERIOD, detail=detail))
        else:
            decision.charge.append(row)
            expected = row.period_end


def _log_not_begun(row: Rebilling, today: datetime.date) -> None:
    """No sweep writes or sends such a row, so this is a bug that someone has to look into."""
    logger.error(
        "a period was sent to be charged before its first day",
        extra={
            "event": "rebilling.not_begun",
            "account": str(row.account_id),
            "period_start": row.period_start.isoformat(),
            "today": today.isoformat(),
        },
    )
