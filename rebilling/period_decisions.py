"""Which of a batch's periods are charged, and which are skipped, parked or left, now that their accounts are locked."""

import datetime
import logging
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from accounts.locked_accounts import LockedAccount
from rebilling.messages.message import PeriodItem
from rebilling.models import ParkReason
from rebilling.period_states import Parking
from rebilling.waiting_periods import WaitingPeriod, waiting_periods

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Decision:
    """What is to become of a batch's DUE periods: those to charge, by account, and those to skip or to park."""

    charge: list[tuple[LockedAccount, list[WaitingPeriod]]] = field(default_factory=list)
    skip: list[uuid.UUID] = field(default_factory=list)
    park: list[Parking] = field(default_factory=list)


def decide(
    *, accounts: Collection[LockedAccount], items: Mapping[uuid.UUID, PeriodItem], today: datetime.date
) -> Decision:
    """Look again at what the locked accounts have DUE: their status, and that each period is the next in line.

    `items` are what the message names, by rebilling. Of each account, the periods up to the first that can't be charged
    become one invoice; the others wait, or are parked or skipped.
    """
    decision = Decision()
    waiting = waiting_periods(accounts)
    for account in accounts:
        decide_account(account, waiting.get(account.id, ()), items, decision, today=today)
    return decision


def decide_account(
    account: LockedAccount,
    periods: Iterable[WaitingPeriod],
    items: Mapping[uuid.UUID, PeriodItem],
    decision: Decision,
    *,
    today: datetime.date,
) -> None:
    """Add to the decision what is to become of one account's periods: its DUE and PARKED ones in order."""
    expected = account.rebilling_date
    charge: list[WaitingPeriod] = []
    parked = False
    for period in periods:
        if period.is_parked:
            parked = True
        elif not _is_named(period, items) or not period.run_passed:
            # Nothing of a run that wasn't let through is charged, whatever message names it. An earlier period that
            # is in another batch, or is held, makes the later ones wait, DUE, until it is charged.
            break
        elif period.period_start > today:
            _log_not_begun(period, today)
            break
        elif account.is_inactive or _is_stopped(account, period):
            decision.skip.append(period.id)
        elif parked:
            decision.park.append(Parking(period, ParkReason.EARLIER_PERIOD_PARKED))
        elif period.period_start != expected:
            parked = True
            detail = f"the account's rebilling date is {expected}"
            decision.park.append(Parking(period, ParkReason.NOT_THE_NEXT_PERIOD, detail))
        else:
            charge.append(period)
            expected = period.period_end
    if charge:
        decision.charge.append((account, charge))


def _is_stopped(account: LockedAccount, period: WaitingPeriod) -> bool:
    """Whether the account is to be closed or paused by the period's first day."""
    return account.billing_stops_on is not None and period.period_start >= account.billing_stops_on


def _is_named(period: WaitingPeriod, items: Mapping[uuid.UUID, PeriodItem]) -> bool:
    """Whether the message names this very period: its rebilling, with its account and its first day."""
    return items.get(period.id) == (period.id, period.account_id, period.period_start)


def _log_not_begun(period: WaitingPeriod, today: datetime.date) -> None:
    """No sweep writes such a row or sends it: something else did, and a person should know."""
    logger.error(
        "a period that has not begun was sent to be charged",
        extra={
            "event": "rebilling.not_begun",
            "account": str(period.account_id),
            "period_start": period.period_start.isoformat(),
            "today": today.isoformat(),
        },
    )
