"""Closing and reopening accounts."""

import datetime
import uuid

from django.db import transaction

from accounts.account_opening import reference_taken
from accounts.errors import Conflict, refined
from accounts.locked_accounts import LockedAccount, lock_account, save_accounts
from accounts.models import Account
from accounts.reasons import checked_reason
from invoices.dunning_schedule import plan_next_step
from invoices.locked_invoices import open_invoices
from invoices.resumption import resume_billing
from rebilling.period_states import skip_waiting
from subscriptions.last_invoice import bill_balance


class UnableToClose(Conflict):
    code = "account-already-inactive"


class UnableToReopen(Conflict):
    code = "account-not-inactive"


def close_account(
    *, account_id: uuid.UUID, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Account:
    """Close the account: it isn't billed any more. What it owes is still collected.

    Its periods that are DUE or PARKED are skipped. A debt that was carried forward is billed on a last invoice, or
    written off where it is too small to collect; credit stays. Raises `UnknownAccount`, `UnableToClose` and
    `InvalidReason`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account = lock_account(account_id)
        if account.is_inactive and account.inactive_reason != Account.InactiveReason.UNPAID:
            raise UnableToClose(f"The account {account_id} is already inactive ({account.inactive_reason}).")
        account.become(Account.Status.INACTIVE, reason=reason, inactive_reason=Account.InactiveReason.CLOSED.value)
        skip_waiting([account])
        if account.credit_balance_minor < 0:
            bill_balance(account, today=today, author=author, now=now)
        save_accounts([account], author=author, now=now)
        return Account.objects.get(id=account.id)


def reopen_account(
    *, account_id: uuid.UUID, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Account:
    """Bill an inactive account again: PAST_DUE if something is past due, ACTIVE if an invoice was ever paid, PENDING
    otherwise.

    By the one rule of `invoices/resumption.py`: a running period of which enough is paid for, or still owed, goes on;
    otherwise a new one begins today. Owing, its dunning starts anew. Its sign-up needn't be paid any more: declined, it
    is dunned. Raises `UnknownAccount`, `UnableToReopen`, `ExternalReferenceTaken` and `InvalidReason`.
    """
    reason = checked_reason(reason)
    reference = Account.objects.filter(id=account_id).values_list("external_reference", flat=True).first()
    with refined({"account_external_reference_once": reference_taken(reference)}), transaction.atomic():
        account = lock_account(account_id)
        if not account.is_inactive:
            raise UnableToReopen(f"The account {account_id} is {account.status}, not INACTIVE.")
        account.keep_on_decline(reason=reason)
        resume_billing([account], reason=reason, today=today, author=author, now=now)
        _start_dunning_anew(account, today=today)
        save_accounts([account], author=author, now=now)
        return Account.objects.get(id=account.id)


def _start_dunning_anew(account: LockedAccount, *, today: datetime.date) -> None:
    account.dunning_steps, account.dunning_on = 0, None
    if any(invoice.declined_on for invoice in open_invoices(accounts=[account])[account.id]):
        plan_next_step(account, today=today)
