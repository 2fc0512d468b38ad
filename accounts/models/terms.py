"""What an account is billed, from which day on."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Cast
from django.db.models.lookups import LessThanOrEqual

from accounts.currencies import MAX_MINOR
from accounts.ids import new_id
from accounts.models.account import Account
from accounts.models.plan import Plan

CUT_PENDING = Q(cuts_period=True, cut_at__isnull=True, withdrawn_at__isnull=True)
"""The terms whose first day lies within a period that is still to be cut."""

_NUMERIC = models.DecimalField(max_digits=40, decimal_places=0)


class Terms(models.Model):
    """What an account is billed for a period, in force from a date until the next terms. Only added to; those that are
    not in force yet may be withdrawn.

    A period costs what the terms in force on its first day say: of those effective by then the latest, and of several
    for one day the newest. `anchor_date` is the day from which periods are counted under them.

    `cuts_period`: their first day lies within a period, which is cut on that day. They are pending until the daily run
    has done so, at `cut_at`.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="terms")
    effective_from = models.DateField()
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="terms")
    quantity = models.PositiveIntegerField()
    unit_amount_minor = models.BigIntegerField()
    anchor_date = models.DateField()
    reason = models.CharField(max_length=500)
    author = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    cuts_period = models.BooleanField(default=False)
    cut_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "terms"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(quantity__gte=1), name="terms_quantity_positive"),
            models.CheckConstraint(condition=Q(unit_amount_minor__gte=0), name="terms_amount_not_negative"),
            models.CheckConstraint(
                condition=LessThanOrEqual(
                    Cast("quantity", _NUMERIC) * Cast("unit_amount_minor", _NUMERIC), Cast(Value(MAX_MINOR), _NUMERIC)
                ),
                name="terms_price_fits_64_bits",
            ),
            models.CheckConstraint(
                condition=Q(cuts_period=False, cut_at__isnull=True)
                | Q(cuts_period=True, anchor_date=F("effective_from"))
                & (Q(cut_at__isnull=True) | Q(withdrawn_at__isnull=True)),
                name="terms_cut_where_periods_begin",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # accounts/terms.py: an account's terms, the latest first.
            models.Index(fields=["account", "-effective_from", "-id"], name="terms_by_account"),
            # api/v1/accounts.py: the accounts of a plan.
            models.Index(fields=["plan", "account"], name="terms_by_plan"),
            # subscriptions/due_changes.py: the periods that are to be cut.
            models.Index(fields=["effective_from"], condition=CUT_PENDING, name="terms_to_cut"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.plan_id} from {self.effective_from}"

    @property
    def price_minor(self) -> int:
        """What one period costs, in minor units of the account's currency."""
        return self.quantity * self.unit_amount_minor
