"""One-off items: amounts beside an account's billing periods."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.ids import new_id
from accounts.models import Account, TaxRate

PENDING = Q(removed_at__isnull=True) & ~Q(invoiced_minor=F("amount_minor"))
"""Items of which something waits to be invoiced."""


class Item(models.Model):
    """A one-off amount of an account, in minor units of its currency: its tax comes when it is invoiced. Below zero it
    is a deduction.

    It waits for the next invoice that a period makes, or is invoiced at once. `rebilling_id` names the period with
    which it is to be invoiced, once that is found due (a foreign key in the database, added by rebilling).
    `invoiced_minor` is what invoices have of it: all, or, of a deduction that stopped at zero, a part. Until all of it
    is invoiced it can be removed.

    The credit and the charge of a change of terms within a period may wait, too: such an item names its proration, the
    period `prorated_id` (foreign keys, added by rebilling) and the days that it is for, and has its tax rate already.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        INVOICED = "invoiced"
        REMOVED = "removed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="items", db_index=False)
    description = models.CharField(max_length=500)
    quantity = models.PositiveIntegerField()
    unit_amount_minor = models.BigIntegerField()
    amount_minor = models.BigIntegerField()
    reason = models.CharField(max_length=500)
    author = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    proration_id = models.UUIDField(null=True)
    prorated_id = models.UUIDField(null=True)
    period_start = models.DateField(null=True)
    period_end = models.DateField(null=True)
    discount_minor = models.BigIntegerField(default=0)
    tax_rate = models.ForeignKey(TaxRate, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    rebilling_id = models.UUIDField(null=True)
    invoiced_minor = models.BigIntegerField(default=0)
    removed_at = models.DateTimeField(null=True)
    removed_by = models.CharField(max_length=200, blank=True, default="")
    removal_reason = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(amount_minor=F("quantity") * F("unit_amount_minor"), discount_minor=0)
                | Q(proration_id__isnull=False),
                name="item_costs_what_its_units_do",
            ),
            models.CheckConstraint(condition=Q(quantity__gte=1, discount_minor__gte=0), name="item_units_not_negative"),
            models.CheckConstraint(
                condition=Q(proration_id__isnull=True, prorated_id__isnull=True)
                & Q(period_start__isnull=True, period_end__isnull=True)
                | Q(proration_id__isnull=False, prorated_id__isnull=False, period_end__gt=F("period_start")),
                name="item_of_a_change_names_its_period",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0, invoiced_minor__in=[0, F("amount_minor")])
                | Q(amount_minor__lt=0, invoiced_minor__gte=F("amount_minor"), invoiced_minor__lte=0),
                name="item_invoiced_up_to_its_amount",
            ),
            models.CheckConstraint(
                condition=Q(removed_at__isnull=True, removed_by="", removal_reason="")
                | Q(removed_at__isnull=False) & ~Q(removed_by="") & ~Q(removal_reason=""),
                name="item_removed_for_a_reason",
            ),
            models.CheckConstraint(condition=Q(rebilling_id__isnull=True) | PENDING, name="item_pending_of_a_period"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # api/v1/items.py: an account's items, newest first.
            models.Index(fields=["account", "-id"], name="item_by_account"),
            # invoices/items.py: what waits for an account's next invoice, oldest first.
            models.Index(fields=["account", "id"], condition=PENDING, name="item_pending"),
            # invoices/items.py: what is to be invoiced with a period.
            models.Index(fields=["rebilling_id"], condition=Q(rebilling_id__isnull=False), name="item_by_rebilling"),
            # invoices/items.py: what waits of the changes of a period; rebilling/books.py: the items of a change.
            models.Index(fields=["proration_id"], condition=Q(proration_id__isnull=False), name="item_by_proration"),
        ]

    def __str__(self) -> str:
        return self.description

    @property
    def status(self) -> Status:
        if self.removed_at is not None:
            return Item.Status.REMOVED
        return Item.Status.INVOICED if self.invoiced_minor == self.amount_minor else Item.Status.PENDING
