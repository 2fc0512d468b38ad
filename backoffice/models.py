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
            ("record_offline_payment", "Can record an offline payment"),
            ("write_off", "Can write off unpaid charges"),
            ("retry_payment", "Can retry a declined payment"),
            ("resolve_payment", "Can resolve a payment that needs review"),
            ("refund_payment", "Can refund a payment"),
            ("resolve_refund", "Can resolve a refund that needs review"),
            ("reverse_entry", "Can reverse a ledger entry"),
            ("release_parked", "Can release a parked period"),
            ("skip_parked", "Can skip a parked period"),
            ("release_run", "Can release a held run"),
            ("cancel_run", "Can cancel a held run"),
        ]

    @property
    def author(self) -> str:
        """How this person signs what they do."""
        return f"staff:{self.username}"
