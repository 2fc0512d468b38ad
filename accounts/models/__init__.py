"""Who is billed, and on which terms: plans, accounts, their terms, and the history of their changes."""

from accounts.models.account import DEFAULT_NET_DAYS, MAX_NET_DAYS, Account
from accounts.models.account_change import AccountChange
from accounts.models.plan import MAX_INTERVAL_COUNT, Plan
from accounts.models.terms import Terms

__all__ = ["DEFAULT_NET_DAYS", "MAX_INTERVAL_COUNT", "MAX_NET_DAYS", "Account", "AccountChange", "Plan", "Terms"]
