"""What follows from what accounts owe now: their credit goes to it, and their status goes by what is left open.

Every operation that changes what an account owes ends with it.
"""

import datetime
import uuid
from collections.abc import Collection, Sequence

from django.db.models import Subquery

from accounts.locked_accounts import LockedAccount, save_accounts
from accounts.models import Account, AccountChange
from invoices.balance_uses import uses_of
from invoices.dunning_schedule import is_over, plan_next_step
from invoices.locked_invoices import LockedInvoice, open_invoices, save_invoices
from invoices.models import Invoice
from invoices.payment_application import note_first_paid
from invoices.resumption import resume_billing
from ledger.models import Entry, EntryType


def refresh_accounts(
    *,
    accounts: Collection[LockedAccount],
    today: datetime.date,
    author: str,
    now: datetime.datetime,
    received: Collection[uuid.UUID] = (),
) -> None:
    """Give credit balances above zero to OPEN invoices, oldest first, bring statuses in step, and save the accounts.

    An invoice with a payment in flight is left alone: the gateway was called for the whole of it. From accounts in
    `received` money came just now: those that are INACTIVE for being unpaid are billed again once nothing is
    outstanding, or was written off since they were switched off.
    """
    by_account = open_invoices(accounts=accounts)
    changed = []
    for account in accounts:
        used_by = apply_credit(account, by_account[account.id], today=today)
        for invoice in used_by:
            note_first_paid(account, invoice.status)
        changed += used_by
    save_invoices(changed)
    paid_up = []
    for account in accounts:
        left = [invoice for invoice in by_account[account.id] if invoice.status == Invoice.Status.OPEN]
        refresh_status(account, left, today=today)
        if account.id in received and is_unpaid(account) and not left and not _gave_up_something(account):
            paid_up.append(account)
    resume_billing(paid_up, reason="everything is paid", today=today, author=author, now=now)
    save_accounts(accounts, author=author, now=now)


def apply_credit(
    account: LockedAccount, invoices: Sequence[LockedInvoice], *, today: datetime.date
) -> list[LockedInvoice]:
    """Give the account's credit to these OPEN invoices in order, unsaved. Returns those that changed.

    A remainder too small to collect is carried forward: taken from the balance, which goes below zero.
    """
    changed = []
    for invoice in invoices:
        if invoice.in_flight or invoice.status != Invoice.Status.OPEN:
            continue
        uses = uses_of(
            # A debt waits for the next invoice.
            balance_minor=max(account.credit_balance_minor, 0),
            outstanding_minor=invoice.amounts.outstanding,
            is_automatic=invoice.is_automatic,
            currency=invoice.currency,
            today=today,
        )
        if uses:
            invoice.use_balance(account, uses)
            changed.append(invoice)
    return changed


def refresh_status(account: LockedAccount, invoices: Sequence[LockedInvoice], *, today: datetime.date) -> None:
    """Bring the account's status in step with its OPEN invoices, unsaved. Dunning is over when none of them is
    declined, and starts anew where one is owed again.

    INACTIVE accounts stay so, and aren't dunned anew.
    """
    declined = [invoice for invoice in invoices if invoice.declined_on]
    if not declined:
        account.dunning_steps, account.dunning_on = 0, None
    elif _lacks_a_step(account, declined):
        plan_next_step(account, today=today)
    if account.is_inactive:
        return
    if declined:
        account.become(Account.Status.PAST_DUE, reason="an invoice was declined")
    elif any(not invoice.is_automatic and invoice.due_on < today for invoice in invoices):
        account.become(Account.Status.PAST_DUE, reason="an invoice is past due")
    elif account.status == Account.Status.PAST_DUE:
        account.become(Account.Status.ACTIVE, reason="nothing is past due")


def _lacks_a_step(account: LockedAccount, declined: Sequence[LockedInvoice]) -> bool:
    """Whether nothing is on its way for what is declined: a step came to nothing, or a write-off was taken back."""
    is_dunned = not account.is_inactive or account.dunning_steps > 0
    return (
        is_dunned
        and account.dunning_on is None
        and not is_over(account)
        and not any(invoice.in_flight for invoice in declined)
    )


def _gave_up_something(account: LockedAccount) -> bool:
    """Whether something that the account owed when it became INACTIVE was written off since, and hasn't been paid.

    What was written off before was given up while it was still billed.
    """
    changes = AccountChange.objects.filter(account_id=account.id, after__status=Account.Status.INACTIVE)
    # Ids are in the order of time: the newest change that made it so, and what was written after it.
    switched_off = changes.order_by("-id").values("id")[:1]
    given_up = Invoice.objects.filter(account_id=account.id, status=Invoice.Status.UNCOLLECTIBLE).values("id")
    write_offs = Entry.objects.filter(account_id=account.id, type=EntryType.WRITE_OFF, invoice_id__in=given_up)
    return write_offs.filter(id__gt=Subquery(switched_off)).exists()


def is_unpaid(account: LockedAccount) -> bool:
    """Whether the account is INACTIVE because it didn't pay."""
    return account.is_inactive and account.inactive_reason == Account.InactiveReason.UNPAID
