"""Runs: what a sweep found due, or what was billed at once on a day."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.ids import new_id


class Run(models.Model):
    """One sweep: its date, and (by its rebillings) what it found due. Or the day's run of what was billed on demand, as
    accounts signed up or began a period: `kind`.

    OPEN until reconciled; HELD ones wait for a person to release or cancel them. Nothing of a run is sent or charged
    until `passed_at`, when the volume check or a person let it through. `held_because` is what the volume check found,
    `decision` the reason and author of its release or cancellation at `decided_at`. `gaps_searched_at` is when all
    accounts were last searched for what its sweep should have found. `figures` are frozen when it is reconciled.
    `usual` is what the volume check compares an on-demand run with, fixed when it begins.
    """

    class Kind(models.TextChoices):
        SWEEP = "sweep"
        ON_DEMAND = "on_demand"

    class Status(models.TextChoices):
        OPEN = "OPEN"
        HELD = "HELD"
        CANCELLED = "CANCELLED"
        RECONCILED = "RECONCILED"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=9, choices=Kind.choices, default=Kind.SWEEP)
    as_of = models.DateField()
    status = models.CharField(max_length=10, choices=Status.choices)
    started_at = models.DateTimeField()
    swept_at = models.DateTimeField(null=True)
    passed_at = models.DateTimeField(null=True)
    held_because = models.CharField(max_length=500, blank=True, default="")
    decided_at = models.DateTimeField(null=True)
    decision = models.CharField(max_length=500, blank=True, default="")
    gaps_searched_at = models.DateTimeField(null=True)
    reconciled_at = models.DateTimeField(null=True)
    figures = models.JSONField(null=True)
    usual = models.JSONField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(status="RECONCILED", reconciled_at__isnull=False, figures__isnull=False)
                | ~Q(status="RECONCILED") & Q(reconciled_at__isnull=True),
                name="run_reconciled_when_reconciled",
            ),
            models.CheckConstraint(
                condition=Q(status="OPEN")
                | Q(status__in=["HELD", "CANCELLED"], passed_at__isnull=True)
                | Q(status="RECONCILED", passed_at__isnull=False),
                name="run_held_is_not_passed",
            ),
            # One run a day takes what is billed on demand; what the volume check holds is another run, one at a time.
            models.UniqueConstraint(
                fields=["as_of"], condition=Q(kind="on_demand", held_because=""), name="run_on_demand_once_a_day"
            ),
            models.UniqueConstraint(
                fields=["as_of"], condition=Q(kind="on_demand", status="HELD"), name="run_on_demand_held_once"
            ),
            models.CheckConstraint(
                condition=Q(kind="sweep", usual__isnull=True) | Q(kind="on_demand", usual__isnull=False),
                name="run_on_demand_knows_the_usual",
            ),
        ]

    def __str__(self) -> str:
        return f"on-demand run of {self.as_of}" if self.is_on_demand else f"run of {self.as_of}"

    @property
    def is_on_demand(self) -> bool:
        return self.kind == Run.Kind.ON_DEMAND
