"""Collecting: attempts to collect invoices, and money sent back. A row's id is its idempotency key at the gateway."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.ids import new_id
from accounts.models import Account
from invoices.models import Invoice, InvoiceLine

OFFLINE = "offline"
"""The gateway's name on money that was received, or sent back, without a gateway: a transfer, a check."""


class GatewayAttempt(models.Model):
    """One request to move money at the gateway, and its outcome: a payment or a refund.

    SUBMITTED becomes SUCCEEDED, the refused status, or UNKNOWN; UNKNOWN becomes one of the other two. `first_called_at`
    is when the gateway was first called for it, and may have heard of it. Until `leased_until`, one worker may call.
    `needs_review` waits for a person's decision, with a reason; `resolution` is why they decided as they did, and
    `resolved_by` who they were. Decided twice, the later one stays. `late_for` is the refused row whose money was moved
    after all, and is booked by this one.
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

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # An index that begins with it, `payment_by_account` or `refund_by_account`, serves.
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="%(class)ss", db_index=False)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=9)
    needs_review = models.BooleanField(default=False)
    review_reason = models.CharField(max_length=500, blank=True, default="")
    resolution = models.CharField(max_length=500, blank=True, default="")
    resolved_by = models.CharField(max_length=200, blank=True, default="")
    gateway = models.CharField(max_length=50)
    gateway_reference = models.CharField(max_length=200, blank=True, default="")
    first_called_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    submitted_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=200)
    late_for = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, db_index=False, related_name="booked_late_by"
    )

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
            models.UniqueConstraint(
                fields=["late_for"], condition=Q(late_for__isnull=False), name="%(class)s_booked_late_once"
            ),
            # What a ledger entry refers to: one row, its account, currency and amount.
            models.UniqueConstraint(
                fields=["id", "account", "currency", "amount_minor"], name="%(class)s_as_its_entry_has_it"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # api/v1/payments.py, api/v1/refunds.py: an account's, newest first.
            models.Index(fields=["account", "-id"], name="%(class)s_by_account"),
            # api/v1/payments.py: all in a status. Nearly all SUCCEEDED, and are found without an index.
            models.Index(fields=["status", "-id"], condition=~Q(status="SUCCEEDED"), name="%(class)s_by_status"),
            # payments/messages/dispatch.py: payments and refunds in flight, oldest first.
            models.Index(fields=["id"], condition=Q(status__in=["SUBMITTED", "UNKNOWN"]), name="%(class)s_in_flight"),
            # payments/deadlines.py: how many need review; api/v1/payments.py, api/v1/refunds.py: which.
            models.Index(fields=["id"], condition=Q(needs_review=True), name="%(class)s_needs_review"),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.NOUN} {self.id}"

    @property
    def awaits_review(self) -> bool:
        """Whether a person has to find out its outcome."""
        return self.needs_review and self.status in self.IN_FLIGHT


class Payment(GatewayAttempt):
    """One attempt to collect an invoice at the gateway, or money received offline, for an invoice or for none.

    `customer` and `payment_method` are those at the gateway when it was submitted, opaque to us. Of a payment that
    SUCCEEDED, `excess_minor` is more than its invoice asked for, and went to the account's credit balance;
    `refunded_minor` was sent back since.
    """

    NOUN = "payment"
    REFUSED = "DECLINED"
    CODE_COLUMN = "decline_code"

    class Status(models.TextChoices):
        SUBMITTED = "SUBMITTED"
        SUCCEEDED = "SUCCEEDED"
        DECLINED = "DECLINED"
        UNKNOWN = "UNKNOWN"

    class Cause(models.TextChoices):
        """Why it was attempted."""

        INVOICE = "invoice"
        """The invoice was issued."""
        DUNNING = "dunning"
        """A step of the dunning schedule."""
        REQUEST = "request"
        """A person or a client asked for it."""
        PAYMENT_METHOD = "payment_method"
        """The account has another payment method."""
        OFFLINE = "offline"
        """Money came without a gateway."""

    # `payment_of_its_accounts_invoice` is its foreign key, and `payment_by_invoice` its index.
    invoice = models.ForeignKey(
        Invoice, on_delete=models.PROTECT, null=True, related_name="payments", db_index=False, db_constraint=False
    )
    cause = models.CharField(max_length=14, choices=Cause.choices)
    customer = models.CharField(max_length=200, blank=True, default="")
    payment_method = models.CharField(max_length=200, blank=True, default="")
    status = models.CharField(max_length=9, choices=Status.choices)
    decline_code = models.CharField(max_length=100, blank=True, default="")
    excess_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)

    class Meta(GatewayAttempt.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *GatewayAttempt.Meta.constraints,
            models.CheckConstraint(
                condition=Q(excess_minor__gte=0, excess_minor__lte=F("amount_minor")), name="payment_excess_within_it"
            ),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0, refunded_minor__lte=F("amount_minor")),
                name="payment_not_refunded_past_it",
            ),
            models.UniqueConstraint(
                fields=["invoice"],
                condition=Q(status__in=["SUBMITTED", "UNKNOWN"]),
                name="payment_one_in_flight_an_invoice",
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
                condition=Q(gateway=OFFLINE, cause="offline", status="SUCCEEDED")
                | ~Q(gateway=OFFLINE) & ~Q(cause="offline") & Q(invoice__isnull=False),
                name="payment_names_an_invoice_or_is_offline",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            *GatewayAttempt.Meta.indexes,
            # api/v1/invoices.py: an invoice's payments.
            models.Index(fields=["invoice", "-id"], name="payment_by_invoice"),
        ]

    @property
    def applied_minor(self) -> int:
        """The part of the money that went to its invoice, in minor units."""
        if self.status != Payment.Status.SUCCEEDED or self.invoice_id is None:
            return 0
        return self.amount_minor - self.excess_minor


class Authentication(models.Model):
    """A payment that the customer may still authenticate with their bank, as at a sign-up: it isn't declined before
    `until`.

    `client_secret` is the gateway's, with which the customer's browser does so; empty while the gateway hasn't asked
    for it. The row is deleted once the payment's outcome is known, or when `until` has come.
    """

    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, primary_key=True)
    client_secret = models.CharField(max_length=200, blank=True, default="")
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"until {self.until:%Y-%m-%d %H:%M}"


class Refund(GatewayAttempt):
    """Money sent back against a payment. It is reserved before the gateway is called, and booked when it succeeds.

    From the payment, its invoice gets a credit note for the same amount, of its `line` first where one is named; from
    the balance, the account's credit balance is paid out.
    """

    NOUN = "refund"
    REFUSED = "FAILED"
    CODE_COLUMN = "failure_code"

    class Status(models.TextChoices):
        SUBMITTED = "SUBMITTED"
        SUCCEEDED = "SUCCEEDED"
        FAILED = "FAILED"
        UNKNOWN = "UNKNOWN"

    class Source(models.TextChoices):
        """What the money comes from."""

        PAYMENT = "payment"
        BALANCE = "balance"

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    line = models.ForeignKey(InvoiceLine, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    source = models.CharField(max_length=7, choices=Source.choices)
    status = models.CharField(max_length=9, choices=Status.choices)
    reason = models.CharField(max_length=500)
    failure_code = models.CharField(max_length=100, blank=True, default="")

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
        ]
        indexes: ClassVar[list[models.Index]] = [
            *GatewayAttempt.Meta.indexes,
        ]


GATEWAY_ATTEMPTS: list[type[GatewayAttempt]] = [Payment, Refund]
