"""Billing INACTIVE accounts again, by the one rule of `invoices/resumption.py`: reopening and resuming."""

import datetime
from collections.abc import Collection

from accounts.locked_accounts import LockedAccount
from invoices.dunning_schedule import plan_next_step
from invoices.locked_invoices import open_invoices
from invoices.resumption import resume_billing


def bill_again(
    accounts: Collection[LockedAccount],
    *,
    since: datetime.date,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> None:
    """Bill INACTIVE accounts again as of the day `since`, today or one that a late run makes up for; unsaved. Owing,
    their dunning starts anew.
    """
    resume_billing(accounts, reason=reason, today=since, author=author, now=now)
    by_account = open_invoices(accounts=accounts)
    for account in accounts:
        account.dunning_steps, account.dunning_on = 0, None
        if any(invoice.declined_on for invoice in by_account[account.id]):
            plan_next_step(account, today=today)
