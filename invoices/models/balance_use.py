"""What went between an account's credit balance and an invoice."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.ids import new_id
from invoices.models.invoice import Invoice


class BalanceUse(models.Model):
    """One move between the credit balance and an invoice, on a billing day, in minor units of its currency.

    What an invoice has of them is its `balance_applied_minor`: credit and what was carried forward, less what was
    brought forward.
    """

    class Kind(models.TextChoices):
        CREDIT = "credit"
        """Credit paid so much of the invoice."""
        BROUGHT_FORWARD = "brought_forward"
        """So much was owed from before, and is collected with the invoice."""
        CARRIED_FORWARD = "carried_forward"
        """So much of the invoice was too small to collect, and is owed with the next one."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="balance_uses")
    kind = models.CharField(max_length=15, choices=Kind.choices)
    amount_minor = models.BigIntegerField()
    used_on = models.DateField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="balance_use_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_minor}"
