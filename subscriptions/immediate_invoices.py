"""Invoices that no period makes: issued at once, and sent to be collected."""

import datetime
from collections.abc import Sequence

from accounts.ids import new_id
from accounts.locked_accounts import LockedAccount
from invoices.issuance import InvoiceDraft, IssuedInvoice, NewLine, issue_invoices
from payments.first_attempts import submit_first_attempts
from payments.gateways.configuration import configured_gateway_name
from payments.messages.dispatch import send_payments_when_committed


def invoice_at_once(
    account: LockedAccount, lines: Sequence[NewLine], *, today: datetime.date, author: str, now: datetime.datetime
) -> IssuedInvoice:
    """Issue an invoice of these lines, which come to no less than zero; its payment goes to the queue when this is
    committed. The account's own changes are the caller's to save.
    """
    draft = InvoiceDraft(id=new_id(), account=account, lines=lines)
    invoices = issue_invoices(drafts=[draft], today=today, author=author, now=now)
    payments = submit_first_attempts(invoices, gateway=configured_gateway_name(), author=author, today=today, now=now)
    send_payments_when_committed(payment_ids=[payment.payment_id for payment in payments])
    return invoices[0]
