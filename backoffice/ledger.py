"""The ledger: entries can be viewed and reversed."""

from typing import Any

from django.contrib import admin

from accounts.wording import period_in_words
from backoffice.actions import ActingAdmin, Action, Caller
from backoffice.base import link, money
from backoffice.links import link_to
from ledger.models import Entry
from payments.models import Payment
from rebilling.adjustments import REVERSIBLE, reverse_entry


def _reverse(entry: Entry, data: dict[str, Any], caller: Caller) -> None:
    reverse_entry(entry_id=entry.id, reason=data["reason"], author=caller.author, today=caller.today, now=caller.now)


REVERSE = Action(
    name="reverse",
    label="Reverse entry",
    explanation="A second entry is written that undoes this one, effective today. This one doesn't change. If you "
    "reverse a charge, the account doesn't owe it, and what was paid for it becomes credit. If you reverse a "
    "write-off, its charge is owed again.",
    done="The entry was reversed.",
    permission="reverse_entry",
    offered=lambda entry: entry.type in REVERSIBLE and not Entry.objects.filter(reverses=entry).exists(),
    perform=_reverse,
)


@admin.register(Entry)
class EntryAdmin(ActingAdmin):
    list_display = ("id", "account_link", "type", "amount", "debit", "credit", "effective_on", "created_by")
    list_filter = ("type", "effective_on")
    list_select_related = ("account",)
    search_fields = ("=idempotency_key", "=account__external_reference", "description")
    search_help_text = "An id, an idempotency key, an account's external reference, or words of the description"
    fields = (
        "id",
        "account_link",
        "type",
        "amount",
        "debit",
        "credit",
        "effective_on",
        "period",
        "payment_link",
        "description",
        "idempotency_key",
        "reverses_link",
        "reversed_by_link",
        "created_at",
        "created_by",
    )
    page_actions = (REVERSE,)
    linked_lookups = ("account__id__exact",)

    account_link = link("account", description="account")
    amount = money("amount_minor", description="amount")
    reverses_link = link("reverses", description="reverses")

    @admin.display(description="period")
    def period(self, entry: Entry) -> str:
        if entry.period_start is None or entry.period_end is None:
            return ""
        return period_in_words(start=entry.period_start, end=entry.period_end)

    @admin.display(description="reversed by")
    def reversed_by_link(self, entry: Entry) -> Any:
        return link_to(Entry.objects.filter(reverses=entry).first())

    @admin.display(description="payment")
    def payment_link(self, entry: Entry) -> Any:
        return link_to(Payment.objects.filter(id=entry.payment_id).first() if entry.payment_id else None)
