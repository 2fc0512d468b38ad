"""How items of accounts read in answers."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.account_opening import MAX_QUANTITY
from api.fields import Amount, SignedAmount, TextOrNull, WholeNumber
from api.v1.new_periods import IssuedInvoiceSerializer
from api.v1.upcoming_invoices import UpcomingInvoiceSerializer, invoice_contents
from invoices.models import Item
from invoices.whole_invoices import WholeInvoice
from subscriptions.items import AddedItem


class ItemSerializer(serializers.ModelSerializer[Item]):
    """A one-off amount beside the account's billing periods. What was added never changes."""

    status = serializers.ChoiceField(
        Item.Status.choices,
        read_only=True,
        help_text="`pending` waits for the next invoice; `invoiced`, all of it; `removed`, what wasn't invoiced.",
    )
    currency = serializers.CharField(source="account.currency", read_only=True)
    quantity = WholeNumber(read_only=True, minimum=1, maximum=MAX_QUANTITY)
    unit_amount_minor = SignedAmount()
    discount_minor = Amount(help_text="Of a change of terms that waits, the discount that its period has.")
    amount_minor = SignedAmount(help_text="Below zero it is a deduction.")
    period_start = serializers.DateField(
        read_only=True, allow_null=True, help_text="Of a change of terms that waits, the first of the days it is for."
    )
    period_end = serializers.DateField(read_only=True, allow_null=True, help_text="The day after the last one.")
    invoiced_minor = SignedAmount(help_text="What invoices have of it: of a deduction that stopped at zero, a part.")
    invoices = serializers.SerializerMethodField(help_text="The ids of those invoices, the oldest first.")
    rebilling = serializers.UUIDField(
        source="rebilling_id",
        read_only=True,
        allow_null=True,
        help_text="The period that was found due and that it is to be invoiced with.",
    )
    created_by = serializers.CharField(source="author", read_only=True)
    removed_by = TextOrNull()
    removal_reason = TextOrNull()

    class Meta:
        model = Item
        fields = (
            "id",
            "account",
            "status",
            "description",
            "quantity",
            "unit_amount_minor",
            "discount_minor",
            "amount_minor",
            "period_start",
            "period_end",
            "currency",
            "invoiced_minor",
            "invoices",
            "rebilling",
            "reason",
            "created_by",
            "created_at",
            "removed_at",
            "removed_by",
            "removal_reason",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField()))
    def get_invoices(self, item: Item) -> list[uuid.UUID]:
        return sorted(line.invoice_id for line in item.lines.all())


class AddedItemSerializer(ItemSerializer):
    """An item that was added, or would be; with what it comes to, and the invoice that has it."""

    id = serializers.UUIDField(read_only=True, allow_null=True, help_text="Null in the answer of a dry run.")
    dry_run = serializers.BooleanField(read_only=True)
    tax_minor = SignedAmount(help_text="Its tax; where it waits, by the account's tax rate of today.")
    total_minor = SignedAmount(help_text="What it comes to with its tax.")
    invoice = IssuedInvoiceSerializer(
        read_only=True, allow_null=True, help_text="Of an item that is billed now, or null: it waits."
    )
    upcoming_invoice = UpcomingInvoiceSerializer(
        read_only=True,
        allow_null=True,
        help_text="In a dry run of an item that waits, the next invoice with it, if nothing else changes until then; "
        "null where none is to come, and in all other answers.",
    )

    class Meta(ItemSerializer.Meta):
        fields = (  # type: ignore[assignment]  # some more
            *ItemSerializer.Meta.fields,
            *("dry_run", "tax_minor", "total_minor", "invoice", "upcoming_invoice"),
        )
        read_only_fields = fields  # type: ignore[assignment]


def added_item_as_json(added: AddedItem, *, dry_run: bool) -> dict[str, Any]:
    """An item that was added, as `AddedItemSerializer` describes it."""
    shown: dict[str, Any] = {
        "dry_run": dry_run,
        "tax_minor": added.tax_minor,
        "total_minor": added.total_minor,
        "invoice": None,
        "upcoming_invoice": None,
    }
    if dry_run:
        shown["id"] = None
    if added.invoice:
        contents = {"id": None if dry_run else added.invoice.invoice.id} | invoice_contents(added.invoice)
        shown["invoice"] = IssuedInvoiceSerializer(contents).data
    if isinstance(added.upcoming, WholeInvoice):
        shown["upcoming_invoice"] = UpcomingInvoiceSerializer(invoice_contents(added.upcoming)).data
    return dict(ItemSerializer(added.item).data) | shown
