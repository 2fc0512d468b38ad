"""Money that came for an invoice is applied to it, and what is left of it is the account's credit."""

import datetime
from dataclasses import dataclass

from accounts.locked_accounts import LockedAccount
from accounts.models import Account
from invoices.balance_uses import Use
from invoices.locked_invoices import LockedInvoice
from invoices.models import BalanceUse, Invoice

_FIRST_PAID = "its first invoice was paid"


@dataclass(frozen=True, slots=True)
class AppliedPayment:
    """Of an amount received, what went to the invoice (some of it had been written off: recovered), and the excess."""

    applied_minor: int
    recovered_minor: int
    excess_minor: int


def apply_payment(account: LockedAccount, invoice: LockedInvoice | None, *, amount_minor: int) -> AppliedPayment:
    """Apply money to the invoice, unsaved: to what is outstanding, then to what was written off. The excess is
    credit. A PENDING account whose invoice is PAID by it becomes ACTIVE; see `note_first_paid`.
    """
    if invoice is None:
        account.credit_balance_minor += amount_minor
        return AppliedPayment(applied_minor=0, recovered_minor=0, excess_minor=amount_minor)
    to_outstanding = min(amount_minor, invoice.amounts.outstanding)
    recovered = min(amount_minor - to_outstanding, invoice.amounts.written_off)
    applied = to_outstanding + recovered
    invoice.change(paid=applied, written_off=-recovered)
    note_first_paid(account, invoice.status)
    account.credit_balance_minor += amount_minor - applied
    return AppliedPayment(applied_minor=applied, recovered_minor=recovered, excess_minor=amount_minor - applied)


def carry_forward(account: LockedAccount, invoice: LockedInvoice, *, today: datetime.date) -> None:
    """Take what is outstanding, being too small to collect, from the account's balance, unsaved: the next invoice
    brings it forward.
    """
    invoice.use_balance(account, [Use(BalanceUse.Kind.CARRIED_FORWARD, invoice.amounts.outstanding, today)])
    note_first_paid(account, invoice.status)


def note_first_paid(account: LockedAccount, status: str) -> None:
    """A PENDING account one of whose invoices is PAID, `status`, becomes ACTIVE; unsaved. One that was closed or paused
    meanwhile stays so, but its sign-up has been paid, too.
    """
    if status != Invoice.Status.PAID:
        return
    if account.status == Account.Status.PENDING:
        account.become(Account.Status.ACTIVE, reason=_FIRST_PAID)
    account.keep_on_decline(reason=_FIRST_PAID)
