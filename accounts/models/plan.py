"""A price that is offered."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.billing_calendar import Interval, IntervalUnit
from accounts.ids import new_id

MAX_INTERVAL_COUNT = 366
"""The largest interval count: a year of days. It bounds every date that the calendar can be asked for."""


class Plan(models.Model):
    """A price offered. Never edited once an account is on it: retire it and open a new one."""

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
