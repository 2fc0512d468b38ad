"""The Django admin: our pages, a module a subject."""

from backoffice import (
    account_history,
    accounts,
    api_keys,
    credit_notes,
    invoices,
    ledger,
    payments,
    plans,
    rebilling,
    refunds,
    staff,
    tax_rates,
)

__all__ = [
    "account_history",
    "accounts",
    "api_keys",
    "credit_notes",
    "invoices",
    "ledger",
    "payments",
    "plans",
    "rebilling",
    "refunds",
    "staff",
    "tax_rates",
]
