"""Rebillings: the one row that makes each charge happen once."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.ids import new_id
from accounts.models import Account, Discount, TaxRate
from invoices.models import Invoice
from rebilling.models.run import Run


class SkipReason(models.TextChoices):
    """Why a period was not charged, and won't be."""

    ACCOUNT_INACTIVE = "account_inactive"
    """Its account is inactive, or is to be by the period's first day."""
    BY_PERSON = "skipped_by_person"
    RUN_CANCELLED = "run_cancelled"
    """Its run was cancelled before anything of it was sent; the next sweep finds the period due again."""


class ParkReason(models.TextChoices):
    """Why a period waits for a person."""

    TOO_MANY_PERIODS = "too_many_periods"
    NOT_THE_NEXT_PERIOD = "not_the_next_period"
    EARLIER_PERIOD_PARKED = "earlier_period_parked"
    CHARGE_REFUSED = "charge_refused"


class Rebilling(models.Model):
    """The claim on one billing period of one account. Unique on (account, period_start), SKIPPED and VOIDED ones aside.

    What it costs is fixed when it is found due, so that what was checked and approved is what is charged:
    `description`, `quantity` and `unit_amount_minor`, what a discount takes off, and `amount_minor`, which is what is
    left; in minor units. So is the rate of its tax. Charged, it names its invoice. `items_minor` is what the one-off
    items come to that are fixed to be invoiced with it, deductions stopping at zero; None where there are none.
    `ended_on` is its end, and moves earlier where the period is cut short: it covers `[period_start, ended_on)`.
    `due_since` is when it was found due, or was made due again by a person: it may not stay DUE long.
    """

    class Status(models.TextChoices):
        DUE = "DUE"
        CHARGED = "CHARGED"
        VOIDED = "VOIDED"
        SKIPPED = "SKIPPED"
        PARKED = "PARKED"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # `rebilling_by_run` is its index.
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="rebillings", db_index=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="rebillings")
    period_start = models.DateField()
    period_end = models.DateField()
    ended_on = models.DateField()
    status = models.CharField(max_length=7, choices=Status.choices)
    reason = models.CharField(max_length=30, choices=[*SkipReason.choices, *ParkReason.choices], blank=True, default="")
    detail = models.CharField(max_length=500, blank=True, default="")
    description = models.CharField(max_length=500)
    quantity = models.PositiveIntegerField()
    unit_amount_minor = models.BigIntegerField()
    discount = models.ForeignKey(Discount, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    discount_minor = models.BigIntegerField(default=0)
    amount_minor = models.BigIntegerField()
    tax_rate = models.ForeignKey(TaxRate, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    items_minor = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, related_name="rebillings")
    due_since = models.DateTimeField()

    class Meta:
        # What people call it; a rebilling is the claim on one.
        verbose_name = "billing period"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["account", "period_start"],
                condition=~Q(status__in=["SKIPPED", "VOIDED"]),
                name="rebilling_once",
            ),
            models.CheckConstraint(condition=Q(period_end__gt=F("period_start")), name="rebilling_period_not_empty"),
            models.CheckConstraint(
                condition=Q(ended_on__gte=F("period_start"), ended_on__lte=F("period_end")),
                name="rebilling_ends_within_its_period",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gte=0, unit_amount_minor__gte=0, quantity__gte=1),
                name="rebilling_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor=F("quantity") * F("unit_amount_minor") - F("discount_minor")),
                name="rebilling_costs_what_its_units_do",
            ),
            models.CheckConstraint(
                condition=Q(discount_minor=0) | Q(discount_minor__gt=0, discount__isnull=False),
                name="rebilling_discounted_by_a_discount",
            ),
            models.CheckConstraint(
                condition=Q(status="SKIPPED", reason__in=SkipReason.values)
                | Q(status="PARKED", reason__in=ParkReason.values)
                | ~Q(status__in=["SKIPPED", "PARKED"]) & Q(reason=""),
                name="rebilling_not_charged_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["CHARGED", "VOIDED"], invoice__isnull=False)
                | ~Q(status__in=["CHARGED", "VOIDED"]) & Q(invoice__isnull=True),
                name="rebilling_charged_by_an_invoice",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # rebilling/reconciliation/summary.py: a run's rows by state.
            models.Index(fields=["run", "status"], name="rebilling_by_run"),
            # rebilling/messages/dispatch.py: what is to be sent, an account's periods together and in order.
            models.Index(fields=["account", "period_start"], condition=Q(status="DUE"), name="rebilling_due"),
            # rebilling/period_discounts.py: the periods that have a discount.
            models.Index(fields=["discount"], condition=Q(discount__isnull=False), name="rebilling_by_discount"),
            # backoffice: what waits for a person.
            models.Index(fields=["id"], condition=Q(status="PARKED"), name="rebilling_parked"),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.period_start} to {self.period_end}"

    @property
    def weight_minor(self) -> int:
        """What the volume check weighs: its price and its items, in minor units."""
        return self.amount_minor + (self.items_minor or 0)


WAITING = [Rebilling.Status.DUE, Rebilling.Status.PARKED]
"""What is still to be charged, skipped, or decided about."""

AWAITS_DECISION = Q(status=Rebilling.Status.PARKED) | Q(status=Rebilling.Status.DUE, run__status=Run.Status.HELD)
"""The periods that a person has to decide about. Sweeps and reconciliations pass over what lies behind one."""
