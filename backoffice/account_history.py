"""The history of accounts: each change by anybody, before and after."""

import json
from collections.abc import Mapping
from typing import Any

from django.contrib import admin

from accounts.currencies import display
from accounts.models import AccountChange
from backoffice.base import ReadOnlyAdmin, link

_LABELS = {
    "status": "status",
    "inactive_reason": "inactive reason",
    "plan": "plan",
    "quantity": "quantity",
    "unit_amount_minor": "unit price",
    "anchor_date": "anchor date",
    "rebilling_date": "next billing date",
    "effective_from": "in force from",
    "trial_ends_on": "trial ends on",
    "closes_on": "closes on",
    "pauses_on": "pauses on",
    "resumes_on": "resumes on",
    "period_end": "period ends on",
    "credit_balance_minor": "credit",
}
"""In the order in which they are shown; what isn't here comes last, by name."""
_PLACES = {name: place for place, name in enumerate(_LABELS)}


def in_words(values: Mapping[str, Any], *, currency: str) -> str:
    """Fields with their values, under the labels of the pages, and amounts as money: "quantity 2, unit price 9.00 USD".

    Empty for a side of the change that has nothing.
    """
    names = sorted(values, key=lambda name: (_PLACES.get(name, len(_PLACES)), name))
    return ", ".join(
        f"{_LABELS.get(name, name.replace('_', ' '))} {_shown(name, values[name], currency)}" for name in names
    )


def _shown(name: str, value: Any, currency: str) -> str:
    if value is None or value == "":
        return "none"
    if name.endswith("_minor"):
        return display(amount_minor=value, currency=currency)
    return value if isinstance(value, str) else json.dumps(value)


@admin.register(AccountChange)
class AccountChangeAdmin(ReadOnlyAdmin):
    list_display = ("changed_at", "account_link", "before_in_words", "after_in_words", "reason", "author")
    list_filter = ("changed_at",)
    list_select_related = ("account",)
    search_fields = ("=account__external_reference", "account__name")
    search_help_text = "An id, an account's external reference or its name"
    fields = ("id", "account_link", "changed_at", "before_in_words", "after_in_words", "reason", "author")
    linked_lookups = ("account__id__exact",)

    account_link = link("account", description="account")

    @admin.display(description="before")
    def before_in_words(self, change: AccountChange) -> str:
        return in_words(change.before, currency=change.account.currency)

    @admin.display(description="after")
    def after_in_words(self, change: AccountChange) -> str:
        return in_words(change.after, currency=change.account.currency)
