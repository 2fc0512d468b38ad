"""What reduces an invoice after it was issued."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.ids import new_id
from accounts.models import Account
from invoices.models.invoice import Invoice, InvoiceLine

_PARTS = F("from_outstanding_minor") + F("from_written_off_minor") + F("to_balance_minor") + F("to_refund_minor")


class CreditNote(models.Model):
    """Reduces an invoice after it was issued, by `amount_minor` in all, in minor units of its currency.

    `tax_minor` is the tax in it: below zero, or more than the amount, where deductions with another tax rate go back
    with it. The amount took from what was outstanding, then from what was written off; what is
    left went to the account's credit balance or, with a refund, back to the customer. One for a change of terms within
    a period names its proration (a foreign key in the database, added by rebilling).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="credit_notes")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="credit_notes")
    number = models.CharField(max_length=30)
    currency = models.CharField(max_length=3)
    issued_on = models.DateField()
    amount_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField(default=0)
    from_outstanding_minor = models.BigIntegerField(default=0)
    from_written_off_minor = models.BigIntegerField(default=0)
    to_balance_minor = models.BigIntegerField(default=0)
    to_refund_minor = models.BigIntegerField(default=0)
    refund_id = models.UUIDField(null=True)
    proration_id = models.UUIDField(null=True)
    reason = models.CharField(max_length=500)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["number"], name="credit_note_number_once"),
            models.UniqueConstraint(fields=["refund_id"], name="credit_note_of_a_refund_once"),
            models.CheckConstraint(
                condition=Q(from_outstanding_minor__gte=0, from_written_off_minor__gte=0)
                & Q(to_balance_minor__gte=0, to_refund_minor__gte=0, amount_minor__gt=0)
                & Q(amount_minor=_PARTS),
                name="credit_note_is_the_sum_of_its_parts",
            ),
            models.CheckConstraint(
                condition=Q(to_refund_minor=0, refund_id__isnull=True)
                | Q(to_refund_minor__gt=0, refund_id__isnull=False),
                name="credit_note_names_its_refund",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["account", "-id"], name="credit_note_by_account"),
            # rebilling/books.py: the credit notes of a change of terms.
            models.Index(
                fields=["proration_id"], condition=Q(proration_id__isnull=False), name="credit_note_by_proration"
            ),
        ]

    def __str__(self) -> str:
        return self.number


class CreditNoteLine(models.Model):
    """What a credit note takes off one line of its invoice, in minor units: tax included, which is `tax_minor`. Of a
    deduction both are below zero: it lowers what the credit note gives back.

    `named_minor` of it was asked for of this line; the rest went along, as nothing else was left of the invoice.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    credit_note = models.ForeignKey(CreditNote, on_delete=models.PROTECT, related_name="lines")
    line = models.ForeignKey(InvoiceLine, on_delete=models.PROTECT, related_name="credit_note_lines")
    amount_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField(default=0)
    named_minor = models.BigIntegerField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["credit_note", "line"], name="credit_note_line_once"),
            models.CheckConstraint(condition=~Q(amount_minor=0), name="credit_note_line_not_zero"),
            models.CheckConstraint(
                condition=Q(tax_minor__gte=0, tax_minor__lte=F("amount_minor"))
                | Q(tax_minor__lte=0, tax_minor__gte=F("amount_minor")),
                name="credit_note_line_has_its_tax",
            ),
            models.CheckConstraint(
                condition=Q(named_minor__gte=0, named_minor__lte=F("amount_minor"))
                | Q(named_minor__lte=0, named_minor__gte=F("amount_minor")),
                name="credit_note_line_has_what_was_named",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} of {self.line_id}"
