"""What a refund reserves: nobody else can use its amount while it is in flight."""

from accounts.locked_accounts import LockedAccount
from invoices.locked_invoices import LockedInvoice
from payments.models import Refund


def reserve(account: LockedAccount, invoice: LockedInvoice | None, *, source: str, amount_minor: int) -> None:
    """Take a refund's amount, in minor units, from what others may use, unsaved: from the account's balance or from
    what is left of its payment's `invoice`. A negative amount gives it back.
    """
    if source == Refund.Source.BALANCE:
        account.credit_balance_minor -= amount_minor
    elif invoice:
        invoice.change(refunding=amount_minor)
