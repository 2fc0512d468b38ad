"""The ledger: entries can be viewed, and a credit or a write-off can be reversed."""

from typing import Any

from django.contrib import admin

from accounts.phrases import period_in_words
from backoffice.actions import ActingAdmin, Action, Caller
from backoffice.base import link, money
from backoffice.links import link_to
from backoffice.run_filters import EntriesOfRun
from invoices.credits import reverse_entry
from invoices.models import Invoice
from ledger.models import REVERSIBLE, Entry, EntryType
from payments.models import Payment, Refund


def _reverse(entry: Entry, data: dict[str, Any], caller: Caller) -> None:
    reverse_entry(entry_id=entry.id, **caller.signed(data))


def _can_be_reversed(entry: Entry) -> bool:
    if entry.type not in REVERSIBLE or (entry.type == EntryType.WRITE_OFF and entry.invoice_id is None):
        # A write-off without an invoice gave up what was carried forward, on closing.
        return False
    return not Entry.objects.filter(reverses=entry).exists()


REVERSE = Action(
    name="reverse",
    label="Reverse",
    explanation="A second entry is written that undoes this one, effective today. This one doesn't change. Credit that "
    "was used and is reversed makes the account's credit negative: the next invoice brings it forward. The invoice of "
    "a write-off is open again. A reversal can't be undone: grant the credit anew.",
    done="The entry was reversed.",
    permission="reverse_entry",
    offered=_can_be_reversed,
    perform=_reverse,
)


@admin.register(Entry)
class EntryAdmin(ActingAdmin):
    list_display = ("id", "account_link", "type", "amount", "debit", "credit", "effective_on", "created_by")
    list_filter = ("type", "effective_on", EntriesOfRun)
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
        "invoice_link",
        "payment_link",
        "refund_link",
        "description",
        "idempotency_key",
        "reverses_link",
        "reversed_by_link",
        "created_at",
        "created_by",
    )
    page_actions = (REVERSE,)
    linked_lookups = ("account__id__exact", "invoice_id__exact")

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

    # Columns without a foreign key in the model: what they name is a layer above the ledger.
    @admin.display(description="invoice")
    def invoice_link(self, entry: Entry) -> Any:
        return link_to(Invoice.objects.filter(id=entry.invoice_id).first() if entry.invoice_id else None)

    @admin.display(description="refund")
    def refund_link(self, entry: Entry) -> Any:
        return link_to(Refund.objects.filter(id=entry.refund_id).first() if entry.refund_id else None)

    @admin.display(description="payment")
    def payment_link(self, entry: Entry) -> Any:
        return link_to(Payment.objects.filter(id=entry.payment_id).first() if entry.payment_id else None)
