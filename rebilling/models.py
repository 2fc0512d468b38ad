"""When and what to charge: runs and rebillings. A rebilling's row makes its charge happen once."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.ids import new_id
from accounts.models import Account
from accounts.wording import period_in_words
from ledger.models import Entry


class Run(models.Model):
    """One sweep: its date, and (by its rebillings) what it found due.

    OPEN until reconciled. A HELD run waits for a person to release or cancel it. Nothing of a run is sent or charged
    until `passed_at`, when it passed the volume check or a person released it. `held_because` says which limits it
    exceeded, `decision` gives the reason and author of its release or cancellation at `decided_at`.
    """

    class Status(models.TextChoices):
        OPEN = "OPEN"
        HELD = "HELD"
        CANCELLED = "CANCELLED"
        RECONCILED = "RECONCILED"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    as_of = models.DateField()
    status = models.CharField(max_length=10, choices=Status.choices)
    started_at = models.DateTimeField()
    swept_at = models.DateTimeField(null=True)
    passed_at = models.DateTimeField(null=True)
    held_because = models.CharField(max_length=500, blank=True, default="")
    decided_at = models.DateTimeField(null=True)
    decision = models.CharField(max_length=500, blank=True, default="")
    reconciled_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(status="RECONCILED", reconciled_at__isnull=False)
                | ~Q(status="RECONCILED") & Q(reconciled_at__isnull=True),
                name="run_reconciled_when_reconciled",
            ),
            models.CheckConstraint(
                condition=Q(status="OPEN")
                | Q(status__in=["HELD", "CANCELLED"], passed_at__isnull=True)
                | Q(status="RECONCILED", passed_at__isnull=False),
                name="run_held_is_not_passed",
            ),
        ]

    def __str__(self) -> str:
        return f"run of {self.as_of}"


class SkipReason(models.TextChoices):
    """Why a period wasn't charged and won't be."""

    ACCOUNT_INACTIVE = "account_inactive"
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
    """One account's charge for one period. Unique on (account, period_start), SKIPPED ones aside.

    `amount_minor` is what the period costs, and `quantity` the units in it: fixed when it is found due, so that what
    passed the volume check is what is charged. Of it, `credit_minor` was taken from the account's credit and
    `paid_minor` collected by the charge's own payments. `due_since` is when it was found due, or when a person made it
    due again: it may not stay DUE long. An UNPAID charge is next tried on `retry_on`, if that is set; `declined_on` is
    the first decline since it was last owed.
    """

    class Status(models.TextChoices):
        DUE = "DUE"
        CHARGED = "CHARGED"
        PAID = "PAID"
        UNPAID = "UNPAID"
        WRITTEN_OFF = "WRITTEN_OFF"
        VOIDED = "VOIDED"
        SKIPPED = "SKIPPED"
        PARKED = "PARKED"

    BEFORE_CHARGE: ClassVar = [Status.DUE, Status.SKIPPED, Status.PARKED]
    OPEN: ClassVar = [Status.CHARGED, Status.UNPAID]
    """Charged, and something of it is still to be collected."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="rebillings")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="rebillings")
    period_start = models.DateField()
    period_end = models.DateField()
    status = models.CharField(max_length=11, choices=Status.choices)
    reason = models.CharField(max_length=30, choices=[*SkipReason.choices, *ParkReason.choices], blank=True, default="")
    detail = models.CharField(max_length=500, blank=True, default="")
    quantity = models.PositiveIntegerField()
    amount_minor = models.BigIntegerField()
    credit_minor = models.BigIntegerField(default=0)
    paid_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    charge = models.OneToOneField(Entry, on_delete=models.PROTECT, null=True, related_name="rebilling")
    retry_on = models.DateField(null=True)
    declined_on = models.DateField(null=True)
    due_since = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["account", "period_start"], condition=~Q(status="SKIPPED"), name="rebilling_once"
            ),
            models.CheckConstraint(condition=Q(period_end__gt=F("period_start")), name="rebilling_period_not_empty"),
            models.CheckConstraint(
                condition=Q(amount_minor__gte=0, credit_minor__gte=0, paid_minor__gte=0)
                & Q(amount_minor__gte=F("credit_minor") + F("paid_minor")),
                name="rebilling_not_collected_past_its_amount",
            ),
            models.CheckConstraint(
                condition=~Q(status="PAID") | Q(amount_minor=F("credit_minor") + F("paid_minor")),
                name="rebilling_paid_in_full",
            ),
            models.CheckConstraint(
                condition=Q(status="SKIPPED", reason__in=SkipReason.values)
                | Q(status="PARKED", reason__in=ParkReason.values)
                | ~Q(status__in=["SKIPPED", "PARKED"]) & Q(reason=""),
                name="rebilling_set_aside_with_a_reason",
            ),
            models.CheckConstraint(
                # A period that costs nothing is PAID without an entry.
                condition=Q(status__in=["DUE", "SKIPPED", "PARKED"], charge__isnull=True)
                | ~Q(status__in=["DUE", "SKIPPED", "PARKED"]) & (Q(charge__isnull=False) | Q(amount_minor=0)),
                name="rebilling_charged_by_an_entry",
            ),
            models.CheckConstraint(
                condition=Q(retry_on__isnull=True) | Q(status="UNPAID"), name="rebilling_retried_while_unpaid"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # rebilling/reconciliation/summary.py: a run's rows by state.
            models.Index(fields=["run", "status"], name="rebilling_by_run"),
            # rebilling/sweep.py: what is to be sent, an account's periods together and in order.
            models.Index(fields=["account", "period_start"], condition=Q(status="DUE"), name="rebilling_due"),
            # rebilling/credit_allocation.py: what an account still owes, oldest first.
            models.Index(
                fields=["account", "period_start"], condition=Q(status__in=["CHARGED", "UNPAID"]), name="rebilling_open"
            ),
            # backoffice: periods that wait for a person.
            models.Index(fields=["id"], condition=Q(status="PARKED"), name="rebilling_parked"),
            # rebilling/sweep.py (retries): unpaid charges whose next attempt has come.
            models.Index(fields=["retry_on", "id"], condition=Q(retry_on__isnull=False), name="rebilling_retry"),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.period}"

    @property
    def period(self) -> str:
        """The period for people to read, with its last day."""
        return period_in_words(start=self.period_start, end=self.period_end)

    @property
    def outstanding_minor(self) -> int:
        """What is still to be collected, in minor units."""
        return self.amount_minor - self.credit_minor - self.paid_minor


AWAITS_DECISION = Q(status=Rebilling.Status.PARKED) | Q(status=Rebilling.Status.DUE, run__status=Run.Status.HELD)
"""The periods that a person has to decide about. Sweeps and reconciliations ignore an account's later periods."""
