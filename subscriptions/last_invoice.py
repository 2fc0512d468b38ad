"""The last invoice of an INACTIVE account: a debt that no next invoice brings forward.

A debt is a credit balance below zero. What is there when the account is closed is billed then; what arises later (a
credit that is taken back, an imported debt) is billed when a person asks for it.
"""

import datetime
import uuid

from django.db import transaction

from accounts.errors import Conflict
from accounts.ids import new_id
from accounts.locked_accounts import LockedAccount, lock_account, save_accounts
from accounts.models import Account
from accounts.reasons import checked_reason
from invoices.collectable import is_too_small
from invoices.issuance import InvoiceDraft, issue_invoices
from invoices.write_offs import write_off_posting
from ledger.posting import post
from payments.first_attempts import submit_first_attempts
from payments.gateways.configured import configured_gateway_name
from payments.messages.sending import send_payments_when_committed


class NoDebtToBill(Conflict):
    """The account has no debt, or its next invoice brings it forward."""

    code = "no-debt-to-bill"


def bill_debt(
    *, account_id: uuid.UUID, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Account:
    """Bill what an INACTIVE account owes beside its invoices by a last invoice, which is collected like any other.

    What is too small to collect is written off. Raises `UnknownAccount`, `NoDebtToBill` and `InvalidReason`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account = lock_account(account_id)
        if not account.is_inactive:
            raise NoDebtToBill(f"The account is {account.status}: its next invoice brings a debt forward.")
        owed = account.credit_balance_minor
        if owed >= 0:
            raise NoDebtToBill("The account owes nothing but its open invoices.")
        bill_balance(account, today=today, author=author, now=now)
        account.note(reason=reason, before={"credit_balance_minor": owed}, after={"credit_balance_minor": 0})
        save_accounts([account], author=author, now=now)
        return Account.objects.get(id=account.id)


def bill_balance(account: LockedAccount, *, today: datetime.date, author: str, now: datetime.datetime) -> None:
    """Bill the account's balance below zero on an invoice without lines, or write it off where it is too small to
    collect; unsaved.
    """
    owed = -account.credit_balance_minor
    if account.is_automatic and is_too_small(amount_minor=owed, currency=account.currency):
        why = "Too small to collect, and no next invoice brings it forward"
        posting = write_off_posting(account, amount_minor=owed, description=why)
        post(postings=[posting], effective_on=today, author=author)
        account.credit_balance_minor = 0
        return
    draft = InvoiceDraft(id=new_id(), account=account, lines=[])
    invoices = issue_invoices(drafts=[draft], today=today, author=author, now=now)
    payments = submit_first_attempts(invoices, gateway=configured_gateway_name(), author=author, today=today, now=now)
    send_payments_when_committed(payment_ids=payments)
