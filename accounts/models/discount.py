"""What is taken off an account's periods."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.ids import new_id
from accounts.models.account import Account

MAX_DISCOUNT_PERIODS = 366


class Discount(models.Model):
    """What is taken off the price of an account's periods that start on `starts_on` or later: a percentage of it, to
    three places, or an amount in minor units of the account's currency, at most the price.

    It applies to the first `periods` of them, to those that start before `until`, or to all. Only added; the account
    names the one that it has.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="discounts")
    percent = models.DecimalField(max_digits=6, decimal_places=3, null=True)
    amount_minor = models.BigIntegerField(null=True)
    periods = models.PositiveSmallIntegerField(null=True)
    starts_on = models.DateField()
    until = models.DateField(null=True)
    reason = models.CharField(max_length=500)
    author = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # What the foreign keys of accounts and rebillings refer to: a discount is its account's.
            models.UniqueConstraint(fields=["id", "account"], name="discount_of_its_account"),
            models.CheckConstraint(
                condition=Q(percent__isnull=False, percent__gt=0, percent__lte=100, amount_minor__isnull=True)
                | Q(percent__isnull=True, amount_minor__isnull=False, amount_minor__gt=0),
                name="discount_percent_or_amount",
            ),
            models.CheckConstraint(
                condition=Q(periods__isnull=True)
                | Q(periods__gte=1, periods__lte=MAX_DISCOUNT_PERIODS, until__isnull=True),
                name="discount_periods_or_until",
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gt=F("starts_on")), name="discount_ends_after_its_start"
            ),
        ]

    def __str__(self) -> str:
        return f"discount of {self.account_id} from {self.starts_on}"
