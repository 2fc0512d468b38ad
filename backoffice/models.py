"""Support staff, and what they may do."""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A member of the staff. Nobody else logs in: API clients use keys."""

    class Meta(AbstractUser.Meta):
        # Names of at most 50 characters: with its migrations undone, `auth` has no room for more.
        permissions: ClassVar = [
            ("open_account", "Can open an account"),
            ("update_account", "Can change an account's data, and its trial's end"),
            ("change_account_terms", "Can change an account's terms, and withdraw them"),
            ("close_account", "Can close an account, and bill its debt"),
            ("reopen_account", "Can reopen an account"),
            ("pause_account", "Can pause and resume an account"),
            ("give_discount", "Can give an account a discount, and end it"),
            ("bill_item", "Can add items to an account, and remove them"),
            ("grant_credit", "Can grant an account credit"),
            ("record_offline_payment", "Can record an offline payment"),
            ("credit_invoice", "Can issue a credit note"),
            ("write_off", "Can write off an invoice"),
            ("pay_invoice", "Can collect an invoice now"),
            ("resolve_payment", "Can look up a payment, and record its outcome"),
            ("refund_payment", "Can refund a payment"),
            ("resolve_refund", "Can look up a refund, and record its outcome"),
            ("record_reversed_money", "Can record money taken back, and refunds returned"),
            ("reverse_entry", "Can reverse a credit or a write-off"),
            ("release_parked", "Can charge a parked period"),
            ("skip_parked", "Can skip a parked period"),
            ("release_run", "Can release a held run"),
            ("cancel_run", "Can cancel a held run, or a run's parked periods"),
        ]

    @property
    def author(self) -> str:
        """How this person signs what they do."""
        return f"staff:{self.username}"
