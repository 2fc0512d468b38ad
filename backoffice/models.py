"""Support staff, and what they may do."""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A member of the staff. Nobody else logs in: API clients use keys."""

    class Meta(AbstractUser.Meta):
        permissions: ClassVar = [
            ("open_account", "Can open an account"),
            ("update_account", "Can change an account's data"),
            ("change_account_terms", "Can change an account's terms"),
            ("close_account", "Can close an account"),
            ("reopen_account", "Can reopen an account"),
            ("pause_account", "Can pause and resume an account"),
            ("give_discount", "Can give an account a discount, and end it"),
            ("bill_item", "Can add and remove an account's items"),
            ("grant_credit", "Can grant an account credit"),
            ("record_offline_payment", "Can record an offline payment"),
            ("credit_invoice", "Can issue a credit note"),
            ("write_off", "Can write off an invoice"),
            ("pay_invoice", "Can collect an invoice at once"),
            ("resolve_payment", "Can resolve a payment that needs review"),
            ("refund_payment", "Can refund a payment"),
            ("resolve_refund", "Can resolve a refund that needs review"),
            ("record_reversed_money", "Can record that money was taken back"),
            ("reverse_entry", "Can reverse a credit or a write-off"),
            ("release_parked", "Can release a parked period"),
            ("skip_parked", "Can skip a parked period"),
            ("release_run", "Can release a held run"),
            ("cancel_run", "Can cancel a held run"),
        ]

    @property
    def author(self) -> str:
        """How this person signs what they do."""
        return f"staff:{self.username}"
