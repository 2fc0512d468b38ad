"""How invoices and credit notes read in answers."""

import datetime
import uuid
from typing import Any

from rest_framework import serializers

from accounts.account_opening import MAX_QUANTITY
from accounts.models import Account
from api.fields import Amount, Percent, SignedAmount, TextOrNull, WholeNumber
from api.v1.payments import PaymentSerializer
from invoices.locked_invoices import UnknownInvoice
from invoices.models import BalanceUse, CreditNote, CreditNoteLine, Invoice, InvoiceLine
from invoices.taxes_by_rate import taxes_by_rate
from subscriptions.invoice_story import explain_invoice

MAX_POSITION = 2**15 - 1


class InvoiceSerializer(serializers.ModelSerializer[Invoice]):
    """What a customer owes. Outstanding = total - credited - balance applied - paid - written off."""

    collection_method = serializers.ChoiceField(
        Account.CollectionMethod.choices, read_only=True, help_text="The account's when it was issued."
    )
    total_minor = Amount(help_text="The sum of its lines, taxes included.")
    tax_minor = SignedAmount(help_text="The tax in it. Below zero where a deduction gives back more than there is.")
    credited_minor = Amount(help_text="What credit notes took off what was outstanding or written off.")
    credited_to_balance_minor = Amount(help_text="What credit notes gave to the account's credit balance.")
    credited_to_refund_minor = Amount(help_text="What credit notes sent back to the customer.")
    balance_applied_minor = SignedAmount(
        help_text="From the credit balance. Below zero, a debt that was brought forward."
    )
    paid_minor = Amount(help_text="What was collected or received for it, refunds included.")
    refunded_minor = Amount(help_text="What was sent back of it since.")
    written_off_minor = Amount(help_text="What was given up of it.")
    outstanding_minor = Amount(help_text="What is still to be paid.")
    customer_address = TextOrNull(help_text="The address, in one line, when it was issued.")
    customer_country = TextOrNull(help_text="The country's code when it was issued.")
    customer_tax_id = TextOrNull(help_text="The tax id when it was issued.")
    customer_language = TextOrNull(help_text="The language when it was issued.")
    payment_in_flight = serializers.BooleanField(
        source="in_flight", read_only=True, help_text="Whether a payment of it is at the gateway."
    )
    declined_on = serializers.DateField(
        read_only=True, allow_null=True, help_text="The day of its first decline, or null."
    )

    class Meta:
        model = Invoice
        fields: tuple[str, ...] = (
            "id",
            "account",
            "number",
            "status",
            "currency",
            "issued_on",
            "due_on",
            "collection_method",
            "seller",
            "customer_name",
            "customer_email",
            "customer_address",
            "customer_country",
            "customer_tax_id",
            "customer_language",
            "total_minor",
            "tax_minor",
            "credited_minor",
            "credited_to_balance_minor",
            "credited_to_refund_minor",
            "balance_applied_minor",
            "paid_minor",
            "refunded_minor",
            "written_off_minor",
            "outstanding_minor",
            "payment_in_flight",
            "declined_on",
            "created_at",
        )
        read_only_fields = fields


class InvoiceLineSerializer(serializers.ModelSerializer[InvoiceLine]):
    """One amount on an invoice, and what it is for."""

    position = WholeNumber(read_only=True, minimum=1, maximum=MAX_POSITION)
    kind = serializers.ChoiceField(InvoiceLine.Kind.choices, read_only=True)
    quantity = WholeNumber(read_only=True, minimum=1, maximum=MAX_QUANTITY)
    unit_amount_minor = SignedAmount()
    discount_minor = Amount()
    amount_minor = SignedAmount(
        help_text="After the discount. It contains the tax where the rate is inclusive. Below zero it is a deduction, "
        "such as for unused days.",
    )
    tax_rate = serializers.UUIDField(
        source="tax_rate_id", read_only=True, allow_null=True, help_text="The id of the rate of its tax, or null."
    )
    tax_minor = SignedAmount()
    total_minor = SignedAmount(help_text="What it comes to with its tax.")
    credited_minor = SignedAmount(
        help_text="What credit notes took off it, tax included. Below zero of a deduction, as what it took off the "
        "invoice is."
    )
    period_start = serializers.DateField(read_only=True, allow_null=True)
    period_end = serializers.DateField(read_only=True, allow_null=True, help_text="The day after the last one.")
    rebilling = serializers.UUIDField(source="rebilling_id", read_only=True, allow_null=True)
    item = serializers.UUIDField(source="item_id", read_only=True, allow_null=True)

    class Meta:
        model = InvoiceLine
        fields = (
            "id",
            "position",
            "kind",
            "description",
            "quantity",
            "unit_amount_minor",
            "discount_minor",
            "amount_minor",
            "tax_rate",
            "tax_minor",
            "total_minor",
            "credited_minor",
            "period_start",
            "period_end",
            "rebilling",
            "item",
        )
        read_only_fields = fields


class BalanceUseSerializer(serializers.ModelSerializer[BalanceUse]):
    """What went between the account's credit balance and the invoice."""

    kind = serializers.ChoiceField(
        BalanceUse.Kind.choices,
        read_only=True,
        help_text="`credit` paid so much of it; `brought_forward` was owed from before and is collected with it; "
        "`carried_forward` was too small to collect, and is owed with the next invoice.",
    )
    amount_minor = Amount(minimum=1)

    class Meta:
        model = BalanceUse
        fields = ("kind", "amount_minor", "used_on")
        read_only_fields = fields


class CreditNoteLineSerializer(serializers.ModelSerializer[CreditNoteLine]):
    """What a credit note takes off one line, tax included."""

    amount_minor = SignedAmount(help_text="Below zero of a deduction, which lowers what the credit note gives back.")
    tax_minor = SignedAmount(help_text="The tax in it.")

    class Meta:
        model = CreditNoteLine
        fields = ("line", "amount_minor", "tax_minor")
        read_only_fields = fields


class CreditNoteSerializer(serializers.ModelSerializer[CreditNote]):
    """A reduction of an invoice. Its amount is the sum of its four parts, and of its lines."""

    amount_minor = Amount(minimum=1)
    tax_minor = SignedAmount(
        help_text="The tax in it. With deductions of another rate it may be below zero, or more than the amount."
    )
    from_outstanding_minor = Amount(help_text="Taken off what was outstanding.")
    from_written_off_minor = Amount(help_text="Taken off what was written off.")
    to_balance_minor = Amount(help_text="Given to the account's credit balance.")
    to_refund_minor = Amount(help_text="Sent back to the customer.")
    refund = serializers.UUIDField(source="refund_id", read_only=True, allow_null=True)
    lines = CreditNoteLineSerializer(many=True, read_only=True)

    class Meta:
        model = CreditNote
        fields = (
            "id",
            "invoice",
            "account",
            "number",
            "currency",
            "issued_on",
            "amount_minor",
            "tax_minor",
            "from_outstanding_minor",
            "from_written_off_minor",
            "to_balance_minor",
            "to_refund_minor",
            "refund",
            "lines",
            "reason",
            "created_by",
            "created_at",
        )
        read_only_fields = fields


class RateTotalSerializer(serializers.Serializer[Any]):
    """What an invoice has at one tax rate."""

    tax_rate = serializers.UUIDField(source="rate.id", read_only=True)
    name = serializers.CharField(source="rate.name", read_only=True)
    percent = Percent(source="rate.percent", read_only=True)
    inclusive = serializers.BooleanField(source="rate.inclusive", read_only=True)
    exemption_reason = TextOrNull(source="rate.exemption_reason")
    net_minor = SignedAmount(help_text="Its lines at this rate, without their tax.")
    tax_minor = SignedAmount()


class WholeInvoiceSerializer(InvoiceSerializer):
    """An invoice with all that belongs to it, and what happened to it in words."""

    lines = InvoiceLineSerializer(many=True, read_only=True)
    taxes = RateTotalSerializer(many=True, read_only=True, help_text="Its taxes, added up by rate.")
    balance_uses = BalanceUseSerializer(many=True, read_only=True)
    credit_notes = CreditNoteSerializer(many=True, read_only=True)
    payments = PaymentSerializer(many=True, read_only=True)
    explanation = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="What happened to it, in sentences, oldest first."
    )

    class Meta(InvoiceSerializer.Meta):
        fields = (
            *(*InvoiceSerializer.Meta.fields, "lines", "taxes"),
            *("balance_uses", "credit_notes", "payments", "explanation"),
        )
        read_only_fields = fields


def invoice_as_json(invoice_id: uuid.UUID, *, today: datetime.date) -> dict[str, Any]:
    """The invoice as JSON, with all that belongs to it. Raises `UnknownInvoice`."""
    invoice = Invoice.objects.filter(id=invoice_id).first()
    if invoice is None:
        raise UnknownInvoice(f"There is no invoice {invoice_id}.")
    credit_notes = invoice.credit_notes.order_by("id").prefetch_related("lines")
    lines = list(invoice.lines.select_related("tax_rate").order_by("position"))
    found = InvoiceSerializer(invoice).data | {
        "lines": InvoiceLineSerializer(lines, many=True).data,
        "taxes": RateTotalSerializer(taxes_by_rate(lines), many=True).data,
        "balance_uses": BalanceUseSerializer(invoice.balance_uses.order_by("id"), many=True).data,
        "credit_notes": CreditNoteSerializer(credit_notes, many=True).data,
        "payments": PaymentSerializer(invoice.payments.order_by("id"), many=True).data,
        "explanation": explain_invoice(invoice_id, today=today),
    }
    return dict(found)
