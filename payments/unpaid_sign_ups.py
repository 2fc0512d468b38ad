"""Sign-ups that had to be paid, and whose payment was declined: nothing is collected, and the account is closed."""

import datetime
from collections.abc import Sequence

from accounts.locked_accounts import LockedAccount
from accounts.models import Account
from accounts.terms import withdraw_pending
from invoices.account_status import apply_credit
from invoices.credit_note_shares import lines_of, shares_of
from invoices.credit_notes import CreditNoteDraft, CreditNotes
from invoices.items import pending_items, remove_items
from invoices.locked_invoices import open_invoices, save_invoices
from invoices.write_offs import write_off_posting
from ledger.posting import post

_CLOSED = Account.InactiveReason.CLOSED.value


def close_unpaid(
    unpaid: Sequence[tuple[LockedAccount, str]], *, today: datetime.date, author: str, now: datetime.datetime
) -> None:
    """Credit whole what is open of these accounts, so that its periods are VOIDED, and close them; `refresh_accounts`
    follows, and saves them. Each account comes with its payment's decline code. Terms that were agreed for a later day
    are withdrawn.

    A debt that the account brought with it is no line that a credit note could take: what credit doesn't pay of it is
    written off. An invoice with another payment in flight is left until that has an outcome. What credit had paid is
    credit again.
    """
    if not unpaid:
        return
    accounts = [account for account, _ in unpaid]
    by_account = open_invoices(accounts=accounts)
    open_ones = [
        (account, invoice) for account in accounts for invoice in by_account[account.id] if not invoice.in_flight
    ]
    lines = lines_of([invoice for _, invoice in open_ones])
    reasons = {account.id: f"The sign-up was not paid: declined ({code})" for account, code in unpaid}
    for account in accounts:
        # A paused one, too: it would resume, and be charged anew.
        account.become(Account.Status.INACTIVE, reason=reasons[account.id], inactive_reason=_CLOSED)
    withdraw_pending(accounts, reason="the account was closed", today=today, now=now)
    credit_notes = CreditNotes(today=today, now=now)
    for account, invoice in open_ones:
        if left := invoice.amounts.left_to_credit:
            shares = shares_of(invoice, lines[invoice.id], amount_minor=left)
            credit_notes.add(CreditNoteDraft(account, invoice, lines[invoice.id], shares, reasons[account.id], author))
    credit_notes.issue()
    write_offs = []
    for account, invoice in open_ones:
        apply_credit(account, [invoice], today=today)
        if rest := invoice.amounts.outstanding:
            why = reasons[account.id]
            write_offs.append(write_off_posting(account, amount_minor=rest, description=why, invoice_id=invoice.id))
            invoice.change(written_off=rest)
    for account in accounts:
        if account.credit_balance_minor < 0:
            debt, why = -account.credit_balance_minor, reasons[account.id]
            write_offs.append(write_off_posting(account, amount_minor=debt, description=why))
            account.credit_balance_minor = 0
    items = pending_items([account.id for account in accounts])
    for account in accounts:
        remove_items([(account, items[account.id])], reason=reasons[account.id], author=author, now=now)
    post(postings=write_offs, effective_on=today, author=author)
    save_invoices([invoice for _, invoice in open_ones])
