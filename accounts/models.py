"""Who is billed: plans, accounts and the history of their statuses."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Cast
from django.db.models.lookups import LessThanOrEqual

from accounts.billing_calendar import Interval, IntervalUnit
from accounts.currencies import MAX_MINOR
from accounts.ids import new_id
from accounts.metadata import MetadataField

MAX_INTERVAL_COUNT = 366
"""The largest interval count: a year of days. It bounds every date that the calendar computes."""

_NUMERIC = models.DecimalField(max_digits=40, decimal_places=0)


class Plan(models.Model):
    """A price. Never edited once an account is on it: retire it and create another."""

    class Unit(models.TextChoices):
        DAY = IntervalUnit.DAY.value
        WEEK = IntervalUnit.WEEK.value
        MONTH = IntervalUnit.MONTH.value
        YEAR = IntervalUnit.YEAR.value

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    code = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    currency = models.CharField(max_length=3)
    unit_amount_minor = models.BigIntegerField()
    interval_count = models.PositiveSmallIntegerField()
    interval_unit = models.CharField(max_length=5, choices=Unit.choices)
    trial_days = models.PositiveSmallIntegerField(default=0)
    retired = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["code"], name="plan_code_once"),
            models.CheckConstraint(condition=Q(code__regex=r"^[a-z0-9][a-z0-9_-]*$"), name="plan_code_is_a_slug"),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="plan_currency_is_iso"),
            models.CheckConstraint(condition=Q(unit_amount_minor__gte=0), name="plan_amount_not_negative"),
            models.CheckConstraint(
                condition=Q(interval_count__gte=1, interval_count__lte=MAX_INTERVAL_COUNT), name="plan_interval_bounded"
            ),
            models.CheckConstraint(
                condition=Q(interval_unit__in=["day", "week", "month", "year"]), name="plan_interval_unit_known"
            ),
            models.CheckConstraint(condition=Q(trial_days__lte=730), name="plan_trial_bounded"),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def interval(self) -> Interval:
        return Interval(count=self.interval_count, unit=IntervalUnit(self.interval_unit))


class Account(models.Model):
    """Who is billed; one account is one subscription.

    `anchor_date` is the day from which its periods are counted, `rebilling_date` the first day of the first period
    not yet charged. Every period from `first_rebilling_date` on has a rebilling once it is due; the reconciliation
    checks that for what fell due after `billing_since`, the instant from which runs account for it.
    """

    class Status(models.TextChoices):
        PENDING = "PENDING"
        ACTIVE = "ACTIVE"
        PAST_DUE = "PAST_DUE"
        INACTIVE = "INACTIVE"

    class InactiveReason(models.TextChoices):
        CLOSED = "closed"
        UNPAID = "unpaid"
        IMPORTED = "imported"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    status = models.CharField(max_length=8, choices=Status.choices)
    inactive_reason = models.CharField(max_length=8, choices=InactiveReason.choices, blank=True, default="")
    name = models.CharField(max_length=200)
    email = models.EmailField(max_length=254)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="accounts")
    quantity = models.PositiveIntegerField(default=1)
    unit_amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    anchor_date = models.DateField()
    rebilling_date = models.DateField()
    first_rebilling_date = models.DateField()
    billing_since = models.DateTimeField()
    external_reference = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 (unique when given)
    payment_customer = models.CharField(max_length=200, blank=True, default="")
    payment_method = models.CharField(max_length=200, blank=True, default="")
    metadata = MetadataField(default=dict, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["external_reference"], name="account_external_reference_once"),
            # The ledger's foreign key: an entry is in its account's currency.
            models.UniqueConstraint(fields=["id", "currency"], name="account_currency"),
            models.CheckConstraint(
                condition=Q(status__in=["PENDING", "ACTIVE", "PAST_DUE"], inactive_reason="")
                | Q(status="INACTIVE", inactive_reason__in=["closed", "unpaid", "imported"]),
                name="account_status_known",
            ),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="account_quantity_positive"),
            models.CheckConstraint(condition=Q(unit_amount_minor__gte=0), name="account_amount_not_negative"),
            models.CheckConstraint(
                condition=LessThanOrEqual(
                    Cast("quantity", _NUMERIC) * Cast("unit_amount_minor", _NUMERIC), Cast(Value(MAX_MINOR), _NUMERIC)
                ),
                name="account_charge_fits_64_bits",
            ),
            models.CheckConstraint(
                condition=Q(first_rebilling_date__gte=F("anchor_date")), name="account_billed_from_its_anchor"
            ),
            models.CheckConstraint(
                condition=Q(rebilling_date__gte=F("first_rebilling_date")),
                name="account_rebilling_date_not_before_first",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # rebilling/sweep.py: the accounts whose rebilling date has come, in keyset order.
            models.Index(fields=["rebilling_date", "id"], condition=~Q(status="INACTIVE"), name="account_due"),
            # api/v1/accounts.py: the accounts of a plan, or in a status, newest first.
            models.Index(fields=["plan", "id"], name="account_by_plan"),
            models.Index(fields=["status", "id"], name="account_by_status"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.external_reference or self.id})"

    @property
    def charge_minor(self) -> int:
        """What one period costs, in minor units of the account's currency."""
        return self.quantity * self.unit_amount_minor


class StatusChange(models.Model):
    """One change of an account's status. The application may only add them."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="status_changes")
    from_status = models.CharField(max_length=8, blank=True)
    to_status = models.CharField(max_length=8, choices=Account.Status.choices)
    reason = models.CharField(max_length=500)
    author = models.CharField(max_length=200)
    changed_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            # backoffice: an account's history, newest first.
            models.Index(fields=["account", "-id"], name="status_change_by_account"),
        ]

    def __str__(self) -> str:
        return f"{self.from_status or 'opened'} to {self.to_status}: {self.reason}"
