"""Getting the money: attempts to collect, and money sent back. A row's id is its idempotency key at the gateway."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.ids import new_id
from accounts.models import Account
from ledger.models import Entry

OUTSIDE = "outside"
"""The gateway's name on a payment that was received outside any gateway (a transfer, a cheque)."""


class Payment(models.Model):
    """One attempt to collect a charge at the gateway, or money received outside it (then `charge` is empty).

    `customer` and `payment_method` are those at the gateway when it was submitted, opaque to us.
    `asked_at` is when the gateway was first asked, and may have heard of it. Until `leased_until` somebody is asking.
    """

    class Status(models.TextChoices):
        SUBMITTED = "SUBMITTED"
        SUCCEEDED = "SUCCEEDED"
        DECLINED = "DECLINED"
        UNKNOWN = "UNKNOWN"

    IN_FLIGHT: ClassVar = [Status.SUBMITTED, Status.UNKNOWN]

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="payments")
    charge = models.ForeignKey(Entry, on_delete=models.PROTECT, null=True, related_name="payments")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    # Defaults of the database too: while a release goes out, the code before it still writes rows.
    customer = models.CharField(max_length=200, blank=True, default="", db_default="")
    payment_method = models.CharField(max_length=200, blank=True, default="", db_default="")
    status = models.CharField(max_length=9, choices=Status.choices)
    decline_code = models.CharField(max_length=100, blank=True, default="")
    needs_person = models.BooleanField(default=False)
    needs_person_reason = models.CharField(max_length=500, blank=True, default="")
    gateway = models.CharField(max_length=50)
    gateway_reference = models.CharField(max_length=200, blank=True, default="")
    asked_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    submitted_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="payment_amount_positive"),
            models.UniqueConstraint(
                fields=["charge"],
                condition=Q(status__in=["SUBMITTED", "UNKNOWN"]),
                name="payment_one_in_flight_a_charge",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["SUBMITTED", "UNKNOWN"], settled_at__isnull=True)
                | Q(status__in=["SUCCEEDED", "DECLINED"], settled_at__isnull=False),
                name="payment_settled_when_known",
            ),
            models.CheckConstraint(
                condition=Q(status="DECLINED") & ~Q(decline_code="") | ~Q(status="DECLINED") & Q(decline_code=""),
                name="payment_decline_has_a_code",
            ),
            models.CheckConstraint(
                condition=Q(charge__isnull=False) | Q(gateway=OUTSIDE, status="SUCCEEDED"),
                name="payment_without_charge_is_from_outside",
            ),
            # Money that was taken once is never booked as two payments.
            models.UniqueConstraint(
                fields=["gateway", "gateway_reference"],
                condition=Q(status="SUCCEEDED") & ~Q(gateway=OUTSIDE),
                name="payment_reference_once",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # api/payments.py: an account's payments, newest first.
            models.Index(fields=["account", "-id"], name="payment_by_account"),
            # rebilling/dispatch.py: payments whose outcome is still open, oldest first.
            models.Index(fields=["id"], condition=Q(status__in=["SUBMITTED", "UNKNOWN"]), name="payment_in_flight"),
            # payments/deadlines.py: how many need a person.
            models.Index(fields=["id"], condition=Q(needs_person=True), name="payment_needs_person"),
        ]

    def __str__(self) -> str:
        return f"{self.status} payment {self.id}"


class Refund(models.Model):
    """Money sent back against a payment. Reserved before the gateway is called, settled after.

    Two requests under one `request_key` are one refund; an empty one is no key. `asked_at` and `leased_until` are as a
    payment's.
    """

    class Status(models.TextChoices):
        SUBMITTED = "SUBMITTED"
        SUCCEEDED = "SUCCEEDED"
        FAILED = "FAILED"
        UNKNOWN = "UNKNOWN"

    IN_FLIGHT: ClassVar = [Status.SUBMITTED, Status.UNKNOWN]

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=9, choices=Status.choices)
    reason = models.CharField(max_length=500)
    gateway = models.CharField(max_length=50)
    failure_code = models.CharField(max_length=100, blank=True, default="")
    needs_person = models.BooleanField(default=False)
    needs_person_reason = models.CharField(max_length=500, blank=True, default="")
    gateway_reference = models.CharField(max_length=200, blank=True, default="")
    asked_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    submitted_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=200)
    request_key = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_amount_positive"),
            models.CheckConstraint(
                condition=Q(status__in=["SUBMITTED", "UNKNOWN"], settled_at__isnull=True)
                | Q(status__in=["SUCCEEDED", "FAILED"], settled_at__isnull=False),
                name="refund_settled_when_known",
            ),
            models.CheckConstraint(
                condition=Q(status="FAILED") & ~Q(failure_code="") | ~Q(status="FAILED") & Q(failure_code=""),
                name="refund_failure_has_a_code",
            ),
            models.UniqueConstraint(fields=["request_key"], condition=~Q(request_key=""), name="refund_requested_once"),
            # Money that was sent once is never booked as two refunds.
            models.UniqueConstraint(
                fields=["gateway", "gateway_reference"],
                condition=Q(status="SUCCEEDED") & ~Q(gateway=OUTSIDE),
                name="refund_reference_once",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # rebilling/dispatch.py: refunds whose outcome is still open, oldest first.
            models.Index(fields=["id"], condition=Q(status__in=["SUBMITTED", "UNKNOWN"]), name="refund_in_flight"),
            # payments/deadlines.py: how many need a person.
            models.Index(fields=["id"], condition=Q(needs_person=True), name="refund_needs_person"),
        ]

    def __str__(self) -> str:
        return f"{self.status} refund {self.id}"
