"""Invoices that were sent to customers and not paid by their due date: their accounts are PAST_DUE, and then
INACTIVE.
"""

import datetime

from django.conf import settings
from django.db import transaction

from accounts.authors import SYSTEM
from accounts.locked_accounts import LockedAccount, lock_accounts, save_accounts
from accounts.models import Account
from invoices.account_status import refresh_status
from invoices.locked_invoices import LockedInvoice, open_invoices
from invoices.models import Invoice

BATCH_ACCOUNTS = 500


def mark_past_due(*, today: datetime.date, now: datetime.datetime) -> None:
    """Bring accounts in step with sent invoices whose day has passed: PAST_DUE from the day after, INACTIVE after
    `UNPAID_DAYS`, which count from the due date, or from the day of reopening where that is later.
    """
    unpaid_since = _unpaid_since(today)
    sent = Invoice.objects.filter(
        status=Invoice.Status.OPEN, collection_method=Account.CollectionMethod.SEND_INVOICE, due_on__lt=today
    )
    while True:
        # Those that are still to be marked: each batch leaves fewer.
        unmarked = sent.filter(account__status__in=[Account.Status.PENDING, Account.Status.ACTIVE])
        overdue = sent.filter(
            account__status=Account.Status.PAST_DUE, due_on__lte=unpaid_since, account__opened_on__lte=unpaid_since
        )
        ids = (unmarked | overdue).order_by("due_on", "id").values_list("account_id", flat=True)[:BATCH_ACCOUNTS]
        if not ids:
            return
        with transaction.atomic():
            accounts = list(lock_accounts(ids).values())
            by_account = open_invoices(accounts=accounts)
            for account in accounts:
                _mark(account, by_account[account.id], today=today)
            save_accounts(accounts, author=SYSTEM, now=now)


def _mark(account: LockedAccount, invoices: list[LockedInvoice], *, today: datetime.date) -> None:
    refresh_status(account, invoices, today=today)
    unpaid_since = _unpaid_since(today)
    overdue = any(not invoice.is_automatic and invoice.due_on <= unpaid_since for invoice in invoices)
    if account.is_inactive or account.opened_on > unpaid_since or not overdue:
        return
    account.become(
        Account.Status.INACTIVE,
        reason=f"an invoice that is past due was not paid within {settings.UNPAID_DAYS} days",
        inactive_reason=Account.InactiveReason.UNPAID.value,
    )


def _unpaid_since(today: datetime.date) -> datetime.date:
    return today - datetime.timedelta(days=settings.UNPAID_DAYS)
