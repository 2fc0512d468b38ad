"""Dunning: which declined invoice is collected next, the attempt at it, and the end of it all.

One schedule per account, whose days are in `invoices/dunning_schedule.py`: it begins with the first decline, and is
over when no declined invoice is left open. A step, which `payments/dunning_steps.py` takes when its day has come, tries
the oldest declined invoice; paid, the next one is tried at once. After the last step the account is INACTIVE, for being
unpaid.
"""

import datetime
import uuid
from collections.abc import Sequence

from accounts.locked_accounts import LockedAccount
from accounts.models import Account
from invoices.dunning_schedule import is_over
from invoices.locked_invoices import LockedInvoice, save_invoices
from payments.models import Payment
from payments.submission import record_attempts


def deactivate_if_over(account: LockedAccount, invoices: Sequence[LockedInvoice]) -> None:
    """Where the schedule is over, and something declined is still open with no payment in flight, the account becomes
    INACTIVE, unsaved. It still owes. `invoices` are its OPEN ones.
    """
    if is_over(account) and next_declined(invoices) and not account.is_inactive:
        account.become(
            Account.Status.INACTIVE,
            reason="the dunning schedule is over",
            inactive_reason=Account.InactiveReason.UNPAID.value,
        )


def next_declined(invoices: Sequence[LockedInvoice]) -> LockedInvoice | None:
    """The oldest of an account's OPEN invoices that was declined; None while one of those is in flight."""
    declined = [invoice for invoice in invoices if invoice.declined_on]
    if any(invoice.in_flight for invoice in declined):
        return None
    return declined[0] if declined else None


def submit_and_mark(
    attempts: Sequence[tuple[LockedAccount, LockedInvoice]],
    *,
    cause: Payment.Cause,
    gateway: str,
    author: str,
    now: datetime.datetime,
) -> list[uuid.UUID]:
    """Submit a payment for what is outstanding of each invoice, and mark it as in flight. Returns the payments' ids."""
    payments = record_attempts(
        invoices=[(account, invoice.id, invoice.amounts.outstanding) for account, invoice in attempts],
        cause=cause,
        gateway=gateway,
        author=author,
        now=now,
    )
    for _, invoice in attempts:
        invoice.in_flight = True
    save_invoices([invoice for _, invoice in attempts])
    return payments
