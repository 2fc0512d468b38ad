"""Payments: attempts to collect, and their outcomes."""

from django.contrib import admin

from backoffice.base import ReadOnlyAdmin, link, money
from payments.models import Payment


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = ("id", "account_link", "status", "amount", "decline_code", "gateway", "submitted_at", "needs_person")
    list_filter = ("status", "needs_person", "gateway")
    list_select_related = ("account",)
    search_fields = ("=gateway_reference", "=account__external_reference")
    search_help_text = "An id, a gateway's reference or an account's external reference"
    fields = (
        "id",
        "account_link",
        "charge_link",
        "status",
        "amount",
        "decline_code",
        "needs_person",
        "needs_person_reason",
        "gateway",
        "gateway_reference",
        "leased_until",
        "submitted_at",
        "settled_at",
    )

    account_link = link("account", description="account")
    charge_link = link("charge", description="charge")
    amount = money("amount_minor", description="amount")
