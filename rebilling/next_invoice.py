"""The next invoice of an account for its periods, as a sweep and the worker make it; in a preview alone."""

import datetime

from accounts.locked_accounts import LockedAccount
from accounts.previews import Preview
from accounts.tax_rates import default_tax_rate_id
from rebilling.invoice_periods import charge
from rebilling.messages.message import PeriodItem
from rebilling.models import Rebilling, Run
from rebilling.period_decisions import Decision, decide_account
from rebilling.period_rows import write_rows
from rebilling.sweep import rows_due
from rebilling.waiting_periods import WaitingPeriod, waiting_periods


def charge_next(
    preview: Preview, *, account: LockedAccount, gateway: str, day: datetime.date, now: datetime.datetime
) -> bool:
    """Find what of the account is due by the day `day`, and charge it as the worker does then. Returns whether anything
    was charged: otherwise its next period waits for a person.

    What is weighed passes: periods that are DUE are charged, whether or not their run was let through. As in a sweep,
    nothing more is found due while a period is parked or held. `gateway` is the name of the gateway that is to collect.
    Nothing is logged or sent. Periods would be charged that no run let through, so only a preview, in which the account
    was locked, may do this.
    """
    preview.check()
    waiting = _waiting(account)
    if all(period.run_passed and not period.is_parked for period in waiting):
        run = Run(as_of=day, status=Run.Status.OPEN, started_at=now, passed_at=now)
        run.save(force_insert=True)
        rows, items = rows_due(accounts=[account], run=run, default_tax_rate=default_tax_rate_id(now=now), now=now)
        # One that would be parked, being too many, is logged where it is written.
        due = [row for row in rows if row.status == Rebilling.Status.DUE]
        write_rows(due, items=items if due else [])
        waiting = _waiting(account)
    decision = Decision()
    passed = [period._replace(run_passed=True) for period in waiting]
    decide_account(account, passed, {period.id: _named(period) for period in passed}, decision, today=day)
    return bool(charge(decision.charge, gateway=gateway, today=day, now=now).rebillings)


def _waiting(account: LockedAccount) -> list[WaitingPeriod]:
    return waiting_periods([account]).get(account.id, [])


def _named(period: WaitingPeriod) -> PeriodItem:
    """As a message names it."""
    return PeriodItem(period.id, period.account_id, period.period_start)
