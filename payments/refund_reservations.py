"""What a refund reserves: nobody else can use its amount while it is in flight."""

import datetime
import uuid

from accounts.ids import new_id
from accounts.locked_accounts import LockedAccount
from invoices.locked_invoices import LockedInvoice
from payments.models import OFFLINE, Payment, Refund


def reserve_refund(
    account: LockedAccount,
    payment: Payment,
    invoice: LockedInvoice | None,
    *,
    source: str,
    amount_minor: int,
    reason: str,
    author: str,
    now: datetime.datetime,
    refund_id: uuid.UUID | None = None,
    line_id: uuid.UUID | None = None,
) -> Refund:
    """Write down a refund of so many minor units of the account's payment, and reserve them; account and `invoice`, the
    payment's, are unsaved. It is SUBMITTED; of offline money, which a person sends back offline, SUCCEEDED at once.

    Its credit note takes from the line first, where one is named.
    """
    is_offline = payment.gateway == OFFLINE
    refund = Refund.objects.create(
        id=refund_id or new_id(),
        account_id=account.id,
        payment=payment,
        line_id=line_id,
        source=source,
        amount_minor=amount_minor,
        currency=payment.currency,
        status=Refund.Status.SUCCEEDED if is_offline else Refund.Status.SUBMITTED,
        completed_at=now if is_offline else None,
        reason=reason,
        gateway=payment.gateway,
        submitted_at=now,
        created_by=author,
    )
    reserve(account, invoice, source=source, amount_minor=amount_minor)
    return refund


def reserve(account: LockedAccount, invoice: LockedInvoice | None, *, source: str, amount_minor: int) -> None:
    """Take a refund's amount, in minor units, from what others may use, unsaved: from the account's balance or from
    what is left of its payment's `invoice`. A negative amount gives it back.
    """
    if source == Refund.Source.BALANCE:
        account.credit_balance_minor -= amount_minor
    elif invoice:
        invoice.change(refunding=amount_minor)
