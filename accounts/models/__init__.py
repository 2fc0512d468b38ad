"""Who is billed, and on which terms: plans, accounts, their terms, discounts and taxes, and the history of changes."""

from accounts.models.account import DEFAULT_NET_DAYS, MAX_NET_DAYS, Account
from accounts.models.account_change import AccountChange
from accounts.models.discount import MAX_DISCOUNT_PERIODS, Discount
from accounts.models.plan import MAX_INTERVAL_COUNT, Plan
from accounts.models.tax_rate import TaxRate
from accounts.models.terms import CUT_PENDING, Terms

__all__ = [
    "CUT_PENDING",
    "DEFAULT_NET_DAYS",
    "MAX_DISCOUNT_PERIODS",
    "MAX_INTERVAL_COUNT",
    "MAX_NET_DAYS",
    "Account",
    "AccountChange",
    "Discount",
    "Plan",
    "TaxRate",
    "Terms",
]
