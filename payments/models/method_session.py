"""A session in which a customer gives a payment method. Its id is its idempotency key at the gateway."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.ids import new_id
from accounts.models import Account


class PaymentMethodSession(models.Model):
    """One request to the gateway to take a payment method from the customer, in the client's front end.

    `customer` is the account's at the gateway when the session was requested; empty, the gateway makes one. The worker
    opens the session: `gateway_reference` and `client_secret` come from the gateway, and the secret is cleared when the
    session ends. `payment_method` is what the customer gave. From `look_up_requested_at` until the worker has looked,
    somebody waits for what became of it. It ends at `completed_at`, however it ends.
    """

    class Status(models.TextChoices):
        OPEN = "OPEN"
        COMPLETED = "COMPLETED"
        """The account has the payment method."""
        EXPIRED = "EXPIRED"
        """The customer gave none in time."""
        FAILED = "FAILED"
        """It gives the account no payment method; `failure_code` says why."""

    NOUN: ClassVar = "session"
    """What logs call a row."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="payment_method_sessions")
    gateway = models.CharField(max_length=50)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.OPEN)
    failure_code = models.CharField(max_length=100, blank=True, default="")
    gateway_reference = models.CharField(max_length=200, blank=True, default="")
    client_secret = models.CharField(max_length=300, blank=True, default="")
    customer = models.CharField(max_length=200, blank=True, default="")
    payment_method = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    look_up_requested_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(status="OPEN", completed_at__isnull=True)
                | ~Q(status="OPEN") & Q(completed_at__isnull=False),
                name="method_session_completed_when_over",
            ),
            models.CheckConstraint(
                condition=Q(status="FAILED") & ~Q(failure_code="") | ~Q(status="FAILED") & Q(failure_code=""),
                name="method_session_failure_has_a_code",
            ),
            # The secret lets whoever has it give the account a payment method: it is kept no longer than it is needed.
            models.CheckConstraint(
                condition=Q(status="OPEN") | Q(client_secret=""), name="method_session_keeps_no_secret"
            ),
            models.CheckConstraint(
                condition=~Q(status="COMPLETED") | ~Q(customer="") & ~Q(payment_method=""),
                name="method_session_completed_with_a_method",
            ),
            models.UniqueConstraint(
                fields=["gateway", "gateway_reference"],
                condition=~Q(gateway_reference=""),
                name="method_session_reference_once",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # backoffice/account_page.py: an account's, newest first.
            models.Index(fields=["account", "-id"], name="method_session_by_account"),
            # payments/messages/dispatch.py: those that are open.
            models.Index(fields=["id"], condition=Q(status="OPEN"), name="method_session_open"),
        ]

    def __str__(self) -> str:
        return f"{self.status} payment method session {self.id}"

    @property
    def is_open(self) -> bool:
        return self.status == PaymentMethodSession.Status.OPEN

    @property
    def awaits_the_gateway(self) -> bool:
        """Whether the worker has yet to open it, or to look up what became of it."""
        return self.is_open and (not self.gateway_reference or self.look_up_requested_at is not None)
