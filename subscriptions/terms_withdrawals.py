"""Withdrawing terms that are agreed for a later day."""

import datetime
import uuid

from django.db import transaction

from accounts.errors import Conflict, Missing
from accounts.locked_accounts import lock_account, save_accounts
from accounts.models import Account, Terms
from accounts.reasons import checked_reason
from accounts.terms import terms_of, withdraw


class UnknownTerms(Missing):
    code = "unknown-terms"


class StopsWithThem(Conflict):
    """The account is to be closed or paused on the day on which these terms cut its period."""

    code = "account-stops-with-terms"


class NotPending(Conflict):
    """The terms are in force already, or were withdrawn."""

    code = "not-pending"


def withdraw_terms(
    *,
    account_id: uuid.UUID,
    terms_id: uuid.UUID,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> Account:
    """Take back a change that is agreed for a later day: the present terms stay in force.

    Raises `UnknownAccount`, `UnknownTerms`, `NotPending`, `StopsWithThem` and `InvalidReason`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account = lock_account(account_id)
        terms = Terms.objects.filter(account_id=account_id, id=terms_id).first()
        if terms is None:
            raise UnknownTerms(f"The account has no terms {terms_id}.")
        pending = terms_of([account_id])[account_id].pending(today)
        if pending is None or pending.id != terms_id:
            why = "were withdrawn before" if terms.withdrawn_at else f"are in force since {terms.effective_from}"
            raise NotPending(f"These terms {why}.")
        if pending.cuts_period and account.billing_stops_on == pending.effective_from:
            stops_on = account.billing_stops_on
            raise StopsWithThem(
                f"The account is to be closed or paused on {stops_on}, where these terms end its period. Take that "
                "back first: without them the period runs on."
            )
        withdraw([(account, pending)], reason=reason, now=now)
        save_accounts([account], author=author, now=now)
        return Account.objects.get(id=account_id)
