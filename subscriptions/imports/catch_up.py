"""The catch-up: what imported accounts will be billed for days before a given day.

It uses the sweep's calendar and price: each period that starts from the rebilling date to that day, at the account's
price for one period.
"""

import datetime
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice

from accounts.account_opening import Draft
from accounts.billing_calendar import MAX_DUE_PERIODS, periods_due
from accounts.models import Account


@dataclass(slots=True, kw_only=True)
class CatchUp:
    """Of the accounts that were added, those that are billed for days before `day`.

    `periods` are due by that day, and cost `amounts_minor`, in minor units by currency; `past_periods` of them are
    over: they end by that day. `parked_accounts` have more than `MAX_DUE_PERIODS` due, and are in no other figure.
    """

    day: datetime.date
    accounts: int = 0
    periods: int = 0
    past_periods: int = 0
    amounts_minor: Counter[str] = field(default_factory=Counter)
    parked_accounts: int = 0

    def add(self, draft: Draft) -> None:
        account, terms = draft.account, draft.terms
        if account.status == Account.Status.INACTIVE or account.rebilling_date >= self.day:
            return
        due = periods_due(
            anchor=account.anchor_date,
            interval=terms.plan.interval,
            since=account.rebilling_date,
            as_of=self.day,
        )
        periods = list(islice(due, MAX_DUE_PERIODS + 1))
        if len(periods) > MAX_DUE_PERIODS:
            self.parked_accounts += 1
            return
        self.accounts += 1
        self.periods += len(periods)
        self.past_periods += sum(period.end <= self.day for period in periods)
        self.amounts_minor[account.currency] += len(periods) * terms.price_minor
