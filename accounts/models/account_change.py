"""The history of an account."""

from typing import ClassVar

from django.db import models

from accounts.ids import new_id
from accounts.models.account import Account


class AccountChange(models.Model):
    """One change of an account by anybody: who made it, when, why, and what the fields were before and after.

    The first of an account is its opening, with nothing before. The application may only add them.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # `account_change_by_account` is its index.
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="changes", db_index=False)
    reason = models.CharField(max_length=500)
    author = models.CharField(max_length=200)
    changed_at = models.DateTimeField()
    before = models.JSONField()
    after = models.JSONField()

    class Meta:
        verbose_name_plural = "history"
        indexes: ClassVar[list[models.Index]] = [
            # api/v1/account_history.py: an account's history, newest first.
            models.Index(fields=["account", "-id"], name="account_change_by_account"),
        ]

    def __str__(self) -> str:
        return f"{', '.join(self.after)}: {self.reason}"
