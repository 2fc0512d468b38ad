"""Support staff, and what they may do."""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A member of the staff. Nobody else logs in: API clients use keys."""

    class Meta(AbstractUser.Meta):
        permissions: ClassVar = [
            ("close_account", "Can close an account"),
            ("reopen_account", "Can reopen an account"),
            ("grant_credit", "Can grant an account credit"),
            ("receive_payment", "Can record a payment received outside the gateway"),
            ("write_off", "Can write off unpaid charges"),
            ("retry_payment", "Can try a declined payment's charge again"),
            ("resolve_payment", "Can settle a payment that needs a person"),
            ("refund_payment", "Can refund a payment"),
            ("resolve_refund", "Can settle a refund that needs a person"),
            ("reverse_entry", "Can reverse a ledger entry"),
            ("release_parked", "Can let a parked period be charged"),
            ("skip_parked", "Can skip a parked period"),
            ("release_run", "Can let a held run be charged"),
            ("cancel_run", "Can cancel a held run"),
        ]

    @property
    def author(self) -> str:
        """How this person signs what they do."""
        return f"staff:{self.username}"
