"""The last invoice of an INACTIVE account: items that wait, and a debt that no next invoice brings forward.

A debt is a credit balance below zero. What is there when the account is closed is billed then; a debt that arises later
(a credit that is taken back, an imported debt) is billed when a person asks for it.
"""

import datetime
import uuid
from collections.abc import Sequence

from django.db import transaction

from accounts.errors import Conflict
from accounts.locked_accounts import LockedAccount, lock_account, save_accounts
from accounts.models import Account
from accounts.reasons import checked_reason
from accounts.tax_rates import default_tax_rate_id
from invoices.account_status import refresh_accounts
from invoices.credits import credit_posting
from invoices.item_lines import deduction_rates, invoiced_of, with_items
from invoices.items import PendingItem, mark_items_invoiced, remove_items
from invoices.small_amounts import is_too_small
from invoices.taxes import tax_rate_of, with_tax
from invoices.write_offs import write_off_posting
from ledger.posting import post
from subscriptions.immediate_invoices import invoice_at_once


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
        bill_rest(account, [], today=today, author=author, now=now)
        account.note(reason=reason, before={"credit_balance_minor": owed}, after={"credit_balance_minor": 0})
        save_accounts([account], author=author, now=now)
        return Account.objects.get(id=account.id)


def bill_rest(
    account: LockedAccount,
    items: Sequence[PendingItem],
    *,
    today: datetime.date,
    author: str,
    now: datetime.datetime,
) -> None:
    """Bill on one invoice what waits of the account's items, and its balance below zero; what is too small to collect
    is written off. What a deduction has left then is removed, and, of a change of terms, is credit. The account is
    unsaved.
    """
    tax_rate_id = tax_rate_of(account, default_id=default_tax_rate_id(now=now)) if items else None
    lines = with_items([], [(item, tax_rate_id) for item in items], rates=deduction_rates(items, [tax_rate_id]))
    invoiced = invoiced_of(items, lines)
    billed = [item._replace(invoiced_minor=item.invoiced_minor + invoiced[item.id]) for item in items]
    left = [item for item in billed if item.left_minor]
    credit = credit_changes(left, account, today=today, author=author)
    owed = -account.credit_balance_minor
    is_billed = owed > 0 and not (account.is_automatic and is_too_small(amount_minor=owed, currency=account.currency))
    if lines or is_billed:
        invoice_at_once(account, lines, today=today, author=author, now=now)
    if credit:
        refresh_accounts(accounts=[account], today=today, author=author, now=now)
    if account.credit_balance_minor < 0:
        why = "Too small to collect, and no next invoice brings it forward"
        write_off_balance(account, why=why, today=today, author=author)
    mark_items_invoiced(invoiced)
    remove_items([(account, left)], reason="the account was closed", author=author, now=now)


def credit_changes(items: Sequence[PendingItem], account: LockedAccount, *, today: datetime.date, author: str) -> int:
    """What changes of terms give back by these items, which aren't invoiced any more, becomes the account's credit,
    with its tax; unsaved. Returns it, in minor units.
    """
    of_changes = [item for item in items if item.is_of_a_change]
    if all(item.left_minor > 0 for item in of_changes):
        return 0
    rates = deduction_rates(of_changes, [])
    totals = [with_tax(item.left_minor, rates[item.tax_rate_id] if item.tax_rate_id else None) for item in of_changes]
    credit = max(0, -sum(totals))
    if credit:
        posting = credit_posting(account, amount_minor=credit, description="Given back by a change of terms")
        post(postings=[posting], effective_on=today, author=author)
        account.credit_balance_minor += credit
    return credit


def write_off_balance(account: LockedAccount, *, why: str, today: datetime.date, author: str) -> None:
    """Give up the account's balance below zero; unsaved."""
    posting = write_off_posting(account, amount_minor=-account.credit_balance_minor, description=why)
    post(postings=[posting], effective_on=today, author=author)
    account.credit_balance_minor = 0
