"""The Django admin: our pages, a module a subject."""

from django.contrib import admin

from backoffice import accounts, keys, ledger, payments, rebilling, refunds, staff

__all__ = ["accounts", "keys", "ledger", "payments", "rebilling", "refunds", "staff"]

admin.site.site_header = "Billing"
admin.site.site_title = "Billing"
admin.site.index_title = "Who is billed, what they were charged, and what was paid"
admin.site.site_url = None
