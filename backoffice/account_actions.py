"""What people do about an account: change it, grant it credit, record what it paid offline. What they do about its
life is in `backoffice/lifecycle_actions.py`.
"""

from typing import Any

from accounts.models import Account
from backoffice.account_form import AccountForm
from backoffice.actions import Action, Caller
from backoffice.forms import AmountForm
from backoffice.offline_payment_forms import AccountPaymentForm
from invoices.credits import grant_credit
from payments.account_updates import update_account
from payments.offline_payments import record_offline_payment
from subscriptions.last_invoice import bill_debt


def _update(account: Account, data: dict[str, Any], caller: Caller) -> None:
    update_account(
        account_id=account.id,
        changes=data["changes"],
        reason=data["reason"],
        author=caller.author,
        today=caller.today,
        now=caller.now,
    )


def _bill_debt(account: Account, data: dict[str, Any], caller: Caller) -> None:
    bill_debt(account_id=account.id, reason=data["reason"], author=caller.author, today=caller.today, now=caller.now)


def _grant_credit(account: Account, data: dict[str, Any], caller: Caller) -> None:
    grant_credit(
        account_id=account.id,
        amount_minor=data["amount"],
        entry_id=data["submission"],
        reason=data["reason"],
        author=caller.author,
        today=caller.today,
        now=caller.now,
    )


def _record_offline_payment(account: Account, data: dict[str, Any], caller: Caller) -> None:
    record_offline_payment(
        account_id=account.id,
        invoice_id=data["invoice"],
        amount_minor=data["amount"],
        reference=data["reference"],
        is_another=data["is_another"],
        payment_id=data["submission"],
        reason=data["reason"],
        author=caller.author,
        today=caller.today,
        now=caller.now,
    )


UPDATE = Action(
    name="update",
    label="Change account",
    explanation="Only the fields that you change are changed. With another payment method or customer at the gateway, "
    "an invoice that was declined is tried at once. Another collection method counts from the next invoice, another "
    "quantity or tax rate from the next period. The plan, the price and the dates can't be changed.",
    done="The account was changed.",
    permission="update_account",
    offered=lambda account: True,
    perform=_update,
    form=AccountForm,
)
BILL_DEBT = Action(
    name="bill-debt",
    label="Bill the debt now",
    explanation="For a credit below zero of an inactive account, which no next invoice brings forward. It is billed on "
    "an invoice of its own, and collected. What is too small to collect is written off.",
    done="The debt was billed.",
    permission="close_account",
    offered=lambda account: account.status == Account.Status.INACTIVE and account.credit_balance_minor < 0,
    perform=_bill_debt,
)
CREDIT = Action(
    name="credit",
    label="Grant credit",
    explanation="Goodwill. The credit goes to the account's open invoices, oldest first. The remainder goes to its "
    "next ones. To undo it, reverse the ledger entry.",
    done="The credit was granted.",
    permission="grant_credit",
    offered=lambda account: True,
    perform=_grant_credit,
    form=AmountForm,
)
PAYMENT = Action(
    name="payment",
    label="Record an offline payment",
    explanation="For money received offline, by transfer or check, for one invoice or for none. What is more than "
    "outstanding becomes the account's credit, which goes to open invoices, oldest first.",
    done="The payment was recorded.",
    permission="record_offline_payment",
    offered=lambda account: True,
    perform=_record_offline_payment,
    form=AccountPaymentForm,
)
