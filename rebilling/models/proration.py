"""Prorations: changes of price within a billing period."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.ids import new_id
from accounts.models import TaxRate, Terms
from invoices.models import Invoice
from rebilling.models.rebilling import Rebilling

_CREDITED = F("credit_total_minor") - F("taken_along_minor")


class Proration(models.Model):
    """A change of price within a billing period that was charged, from the day `changed_on` on. Only added to.

    Prices are of the whole period, after its discount, in minor units. `credit_minor` was given back for the days that
    aren't used, and `charge_minor` charged for the days left, at the new price and `tax_rate`; the totals are with
    their taxes. Where more was charged, both are lines of `invoice`; where less, the rest is credit notes that name
    this row; where they are the same with the same tax, nothing was issued. One that `waits` has two items instead,
    for the next invoice. `taken_along_minor` is what had waited of earlier changes and was billed with this one, with
    its taxes.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    rebilling = models.ForeignKey(Rebilling, on_delete=models.PROTECT, related_name="prorations")
    terms = models.OneToOneField(Terms, on_delete=models.PROTECT, related_name="proration")
    changed_on = models.DateField()
    price_before_minor = models.BigIntegerField()
    price_after_minor = models.BigIntegerField()
    credit_minor = models.BigIntegerField()
    charge_minor = models.BigIntegerField()
    tax_rate = models.ForeignKey(TaxRate, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    credit_total_minor = models.BigIntegerField()
    charge_total_minor = models.BigIntegerField()
    waits = models.BooleanField(default=False)
    taken_along_minor = models.BigIntegerField(default=0)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, related_name="prorations")

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(price_before_minor__gte=0, price_after_minor__gte=0, credit_minor__gte=0)
                & Q(charge_minor__gte=0, credit_total_minor__gte=0, charge_total_minor__gte=0),
                name="proration_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(waits=True, invoice__isnull=True, taken_along_minor=0)
                | Q(waits=False, invoice__isnull=False, charge_total_minor__gte=_CREDITED)
                | Q(waits=False, invoice__isnull=True, charge_total_minor__lte=_CREDITED),
                name="proration_names_its_invoice",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.changed_on}: -{self.credit_total_minor} +{self.charge_total_minor}"

    @property
    def net_minor(self) -> int:
        """What was still to be paid, with taxes and with what had waited, in minor units; below zero, what was given
        back.
        """
        return self.charge_total_minor - self.credit_total_minor + self.taken_along_minor
