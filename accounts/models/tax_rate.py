"""A tax at a rate."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.ids import new_id
from accounts.percents import shown_percent


class TaxRate(models.Model):
    """A tax that invoices have: its name, and its rate in percent of the price without it, to three places.

    `inclusive`: prices contain it. Otherwise it is added to them. A rate of zero says in `exemption_reason` why nothing
    is taxed. Never edited, since invoices name it: create another one.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=100)
    percent = models.DecimalField(max_digits=6, decimal_places=3)
    inclusive = models.BooleanField(default=False)
    exemption_reason = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["name", "percent", "inclusive", "exemption_reason"], name="tax_rate_once"),
            models.CheckConstraint(condition=Q(percent__gte=0, percent__lte=100), name="tax_rate_bounded"),
            models.CheckConstraint(
                condition=Q(percent__gt=0, exemption_reason="") | Q(percent=0) & ~Q(exemption_reason=""),
                name="tax_rate_of_zero_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {shown_percent(self.percent)}%"
