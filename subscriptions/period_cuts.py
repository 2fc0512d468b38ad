"""Cutting a period on the first day of terms that count periods anew: the rest of it is credited, and a new period
begins on that day. Agreed for a later day, the daily run does so.

Where the period can't be credited yet, it waits for a later run, which cuts it as of the same day. No period that
starts on that day or later is billed meanwhile.
"""

import datetime
import uuid
from collections.abc import Collection
from typing import NamedTuple

from accounts.authors import SYSTEM
from accounts.errors import OperationError
from accounts.locked_accounts import LockedAccount
from accounts.models import CUT_PENDING, Terms
from accounts.terms import TermsInForce, terms_of, withdraw
from invoices.credit_note_shares import RefundInFlight
from invoices.write_offs import PaymentInFlight
from rebilling.billed_periods import PeriodGivenBack, PeriodNotCharged, running_period
from rebilling.models import Rebilling
from rebilling.period_states import cut_off
from subscriptions.agreed_terms import UnableToChangeTerms
from subscriptions.prorations import BilledChange, bill_change


class WaitingCut(NamedTuple):
    """The day as of which a period is to be cut, and why it can't be yet."""

    day: datetime.date
    because: OperationError

    @property
    def is_in_flight(self) -> bool:
        """Whether it waits for a payment or a refund, and not for the period to be charged."""
        return not isinstance(self.because, PeriodNotCharged)


def check_a_period_runs(account: LockedAccount, after: TermsInForce, *, field: str) -> None:
    """A period is cut on a day on which one runs, not before the first one. Raises `UnableToChangeTerms`, which names
    the field.
    """
    day = after.effective_from
    if day >= account.rebilling_date:
        return
    billed = Rebilling.objects.filter(account_id=account.id, period_start__lte=day, ended_on__gt=day)
    if not billed.filter(status__in=[Rebilling.Status.CHARGED, Rebilling.Status.VOIDED]).exists():
        why = f"No period runs on {day}: the next one starts on {account.rebilling_date}."
        raise UnableToChangeTerms("The terms were not changed.", **{field: why})


def cuts_due(accounts: Collection[LockedAccount], *, as_of: datetime.date) -> dict[uuid.UUID, TermsInForce]:
    """The terms whose first day has come by `as_of` and lies within a period that wasn't cut yet, by account."""
    histories = terms_of([account.id for account in accounts])
    return {
        account.id: cut for account in accounts if (cut := histories[account.id].cut) and cut.effective_from <= as_of
    }


def cut_periods(
    accounts: Collection[LockedAccount],
    cuts: dict[uuid.UUID, TermsInForce],
    *,
    today: datetime.date,
    now: datetime.datetime,
) -> dict[uuid.UUID, WaitingCut]:
    """Cut the accounts' periods as of the first day of these terms, and begin new ones; unsaved. Returns why a period
    can't be credited yet, and waits, by account.

    An INACTIVE account has no new period: the terms are withdrawn.
    """
    waiting = {}
    for account in accounts:
        terms = cuts[account.id]
        if account.is_inactive:
            why = f"the account was INACTIVE ({account.inactive_reason}) when its new period was to begin"
            withdraw([(account, terms)], reason=why, now=now)
            continue
        try:
            _cut(account, terms, today=today, now=now)
        except (PeriodNotCharged, PaymentInFlight, RefundInFlight) as error:
            waiting[account.id] = WaitingCut(terms.effective_from, error)
    return waiting


def foreseen_cut(account: LockedAccount, terms: TermsInForce, *, now: datetime.datetime) -> BilledChange | None:
    """What will be credited on the first day of these terms, if nothing else changes, found by doing it: the caller
    rolls it back. None where that can't be said yet.
    """
    try:
        return _cut(account, terms, today=terms.effective_from, now=now)
    except (PeriodNotCharged, PaymentInFlight, RefundInFlight):
        return None


def _cut(
    account: LockedAccount, terms: TermsInForce, *, today: datetime.date, now: datetime.datetime
) -> BilledChange | None:
    """Raises `PeriodNotCharged`, `PaymentInFlight` and `RefundInFlight`, before anything is changed."""
    day = terms.effective_from
    try:
        period = running_period(account, today=day)
    except PeriodGivenBack:
        # As when billing is resumed: a period that was given back doesn't go on, and has nothing left to credit.
        period = None
    row = Terms.objects.get(CUT_PENDING, account_id=account.id)
    billed = None
    if period:
        billed = bill_change(account, period, terms=row, after=None, on=day, author=SYSTEM, today=today, now=now)
        cut_off(accounts=[account], on=day)
    account.begin_on(day, reason=row.reason)
    Terms.objects.filter(id=row.id).update(cut_at=now)
    return billed
