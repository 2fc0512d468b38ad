"""The Django admin: our pages, a module a subject."""

from backoffice import accounts, keys, ledger, payments, rebilling, refunds, staff

__all__ = ["accounts", "keys", "ledger", "payments", "rebilling", "refunds", "staff"]
