"""Accounts that the search for gaps found."""

from django.db import models

from accounts.models import Account


class GapSuspect(models.Model):
    """An account whose periods didn't follow one another up to its rebilling date when all accounts were last searched.

    Only a suspect: whether a period is missing is worked out when it is asked for.
    """

    account = models.OneToOneField(Account, on_delete=models.PROTECT, primary_key=True, related_name="+")
    found_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"suspect since {self.found_at}"
