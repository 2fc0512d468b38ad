"""Getting the money: attempts to collect, and money sent back. A row's id is its idempotency key at the gateway."""

import uuid
from collections.abc import Collection
from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.ids import new_id
from accounts.models import Account
from ledger.models import Entry
from payments.gateways.port import PaymentRequest, RefundRequest, Request

OFFLINE = "offline"
"""What stands in place of a gateway's name on money received offline (a transfer, a check)."""


class GatewayAttempt(models.Model):
    """One request to move money at the gateway, and its outcome: a payment or a refund.

    SUBMITTED becomes SUCCEEDED, the refused status, or UNKNOWN; UNKNOWN becomes one of the other two. `first_called_at`
    is when the gateway was first called for it, and may have heard of it. Until `leased_until`, one worker may call.
    """

    NOUN: ClassVar[str]
    """What people and logs call a row: payment, refund."""
    IN_FLIGHT: ClassVar = ["SUBMITTED", "UNKNOWN"]
    SUCCEEDED: ClassVar = "SUCCEEDED"
    UNKNOWN: ClassVar = "UNKNOWN"
    REFUSED: ClassVar[str]
    """The status of what the gateway refused for good."""
    CODE_COLUMN: ClassVar[str]
    """The column that then says why."""
    ACCOUNT_ID: ClassVar[str]
    """The lookup of the account's id."""
    REQUEST_NEEDS: ClassVar[list[str]]
    """The related rows that the request to the gateway is made from."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=9)
    needs_review = models.BooleanField(default=False)
    review_reason = models.CharField(max_length=500, blank=True, default="")
    gateway = models.CharField(max_length=50)
    gateway_reference = models.CharField(max_length=200, blank=True, default="")
    first_called_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    submitted_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="%(class)s_amount_positive"),
            # Money that was moved once is never booked twice.
            models.UniqueConstraint(
                fields=["gateway", "gateway_reference"],
                condition=Q(status="SUCCEEDED") & ~Q(gateway=OFFLINE),
                name="%(class)s_reference_once",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # rebilling/messages/dispatch.py: payments and refunds in flight, oldest first.
            models.Index(fields=["id"], condition=Q(status__in=["SUBMITTED", "UNKNOWN"]), name="%(class)s_in_flight"),
            # payments/deadlines.py: how many need review.
            models.Index(fields=["id"], condition=Q(needs_review=True), name="%(class)s_needs_review"),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.NOUN} {self.id}"

    @classmethod
    def gateway_requests(cls, ids: Collection[uuid.UUID]) -> list[Request]:
        """What the gateway is called with for these rows."""
        rows = cls._default_manager.filter(id__in=ids).select_related(*cls.REQUEST_NEEDS)
        return [row.gateway_request() for row in rows]

    def gateway_request(self) -> Request:
        raise NotImplementedError

    def owners(self) -> dict[str, str]:
        """The ids of the rows that it belongs to, as a log line names them."""
        raise NotImplementedError


class Payment(GatewayAttempt):
    """One attempt to collect a charge at the gateway, or money received outside it (then `charge` is empty).

    `customer` and `payment_method` are those at the gateway when it was submitted, opaque to us.
    """

    NOUN = "payment"
    REFUSED = "DECLINED"
    CODE_COLUMN = "decline_code"
    ACCOUNT_ID = "account_id"
    REQUEST_NEEDS: ClassVar = ["charge"]

    class Status(models.TextChoices):
        SUBMITTED = "SUBMITTED"
        SUCCEEDED = "SUCCEEDED"
        DECLINED = "DECLINED"
        UNKNOWN = "UNKNOWN"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="payments")
    charge = models.ForeignKey(Entry, on_delete=models.PROTECT, null=True, related_name="payments")
    # Defaults of the database too: while a release goes out, the code before it still writes rows.
    customer = models.CharField(max_length=200, blank=True, default="", db_default="")
    payment_method = models.CharField(max_length=200, blank=True, default="", db_default="")
    status = models.CharField(max_length=9, choices=Status.choices)
    decline_code = models.CharField(max_length=100, blank=True, default="")

    class Meta(GatewayAttempt.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *GatewayAttempt.Meta.constraints,
            models.UniqueConstraint(
                fields=["charge"],
                condition=Q(status__in=["SUBMITTED", "UNKNOWN"]),
                name="payment_one_in_flight_a_charge",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["SUBMITTED", "UNKNOWN"], completed_at__isnull=True)
                | Q(status__in=["SUCCEEDED", "DECLINED"], completed_at__isnull=False),
                name="payment_completed_when_known",
            ),
            models.CheckConstraint(
                condition=Q(status="DECLINED") & ~Q(decline_code="") | ~Q(status="DECLINED") & Q(decline_code=""),
                name="payment_decline_has_a_code",
            ),
            models.CheckConstraint(
                condition=Q(charge__isnull=False) | Q(gateway=OFFLINE, status="SUCCEEDED"),
                name="payment_without_charge_is_offline",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            *GatewayAttempt.Meta.indexes,
            # api/v1/payments.py: an account's payments, newest first.
            models.Index(fields=["account", "-id"], name="payment_by_account"),
        ]

    def gateway_request(self) -> PaymentRequest:
        return PaymentRequest(
            payment_id=self.id,
            amount_minor=self.amount_minor,
            currency=self.currency,
            customer=self.customer,
            payment_method=self.payment_method,
            description=self.charge.description if self.charge else "",
            submitted_at=self.submitted_at,
            reference=self.gateway_reference,
        )

    def owners(self) -> dict[str, str]:
        return {"account": str(self.account_id)}


class Refund(GatewayAttempt):
    """Money sent back against a payment. Reserved before the gateway is called.

    Two requests under one `request_key` are one refund; an empty one is no key.
    """

    NOUN = "refund"
    REFUSED = "FAILED"
    CODE_COLUMN = "failure_code"
    ACCOUNT_ID = "payment__account_id"
    REQUEST_NEEDS: ClassVar = ["payment"]

    class Status(models.TextChoices):
        SUBMITTED = "SUBMITTED"
        SUCCEEDED = "SUCCEEDED"
        FAILED = "FAILED"
        UNKNOWN = "UNKNOWN"

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    status = models.CharField(max_length=9, choices=Status.choices)
    reason = models.CharField(max_length=500)
    failure_code = models.CharField(max_length=100, blank=True, default="")
    created_by = models.CharField(max_length=200)
    request_key = models.CharField(max_length=300, blank=True, default="")

    class Meta(GatewayAttempt.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *GatewayAttempt.Meta.constraints,
            models.CheckConstraint(
                condition=Q(status__in=["SUBMITTED", "UNKNOWN"], completed_at__isnull=True)
                | Q(status__in=["SUCCEEDED", "FAILED"], completed_at__isnull=False),
                name="refund_completed_when_known",
            ),
            models.CheckConstraint(
                condition=Q(status="FAILED") & ~Q(failure_code="") | ~Q(status="FAILED") & Q(failure_code=""),
                name="refund_failure_has_a_code",
            ),
            models.UniqueConstraint(fields=["request_key"], condition=~Q(request_key=""), name="refund_requested_once"),
        ]

    def gateway_request(self) -> RefundRequest:
        return RefundRequest(
            refund_id=self.id,
            payment_id=self.payment_id,
            payment_reference=self.payment.gateway_reference,
            amount_minor=self.amount_minor,
            currency=self.currency,
            reason=self.reason,
            submitted_at=self.submitted_at,
            reference=self.gateway_reference,
        )

    def owners(self) -> dict[str, str]:
        return {"account": str(self.payment.account_id), "payment": str(self.payment_id)}


GATEWAY_ATTEMPTS: tuple[type[GatewayAttempt], ...] = (Payment, Refund)
