"""What people do about an account: change it and its terms, grant it credit, record what it paid
offline. What they do about its
life is in `backoffice/lifecycle_actions.py`.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from accounts import clock
from accounts.billing_day import billing_day
from accounts.models import Account
from accounts.terms import TermsInForce, terms_of
from backoffice.account_form import AccountForm
from backoffice.action_previews import action_preview
from backoffice.actions import Action, Caller
from backoffice.forms import AmountForm
from backoffice.offline_payment_forms import AccountPaymentForm
from backoffice.terms_forms import TermsForm, change_in_words
from invoices.credits import grant_credit
from payments.account_updates import update_account
from payments.offline_payments import record_offline_payment
from subscriptions.account_story import pending_terms_in_words
from subscriptions.last_invoice import bill_debt
from subscriptions.terms_changes import TermsChange, change_terms
from subscriptions.terms_withdrawals import NotPending, withdraw_terms


def _update(account: Account, data: dict[str, Any], caller: Caller) -> None:
    update_account(
        account_id=account.id,
        changes=data["changes"],
        reason=data["reason"],
        author=caller.author,
        now=caller.now,
    )


def _change_terms(account: Account, data: dict[str, Any], caller: Caller, *, dry_run: bool = False) -> TermsChange:
    return change_terms(
        account_id=account.id,
        changes=data["changes"],
        effective=data["effective"],
        proration=data["proration"],
        dry_run=dry_run,
        **caller.signed(data),
    )


def _preview_terms(account: Account, data: dict[str, Any], caller: Caller) -> list[str]:
    return change_in_words(_change_terms(account, data, caller, dry_run=True))


def _pending(account: Account) -> TermsInForce | None:
    return terms_of([account.id])[account.id].pending(billing_day(clock.now()))


def _withdraw_terms(account: Account, data: dict[str, Any], caller: Caller) -> None:
    pending = _pending(account)
    if pending is None or pending.id is None:
        raise NotPending("No terms are pending any more.")
    withdraw_terms(
        account_id=account.id,
        terms_id=pending.id,
        **caller.signed(data),
    )


def _to_withdraw(account: Account, data: dict[str, Any], caller: Caller) -> Iterator[str]:
    return pending_terms_in_words(account, terms_of([account.id])[account.id], today=caller.today)


def _bill_debt(account: Account, data: dict[str, Any], caller: Caller) -> None:
    bill_debt(account_id=account.id, **caller.signed(data))


def _grant_credit(account: Account, data: dict[str, Any], caller: Caller) -> None:
    grant_credit(
        account_id=account.id,
        amount_minor=data["amount"],
        entry_id=data["submission"],
        **caller.signed(data),
    )


def _record_offline_payment(account: Account, data: dict[str, Any], caller: Caller) -> None:
    record_offline_payment(
        account_id=account.id,
        invoice_id=data["invoice"],
        amount_minor=data["amount"],
        reference=data["reference"],
        is_another=data["is_another"],
        payment_id=data["submission"],
        **caller.signed(data),
    )


UPDATE = Action(
    name="update",
    label="Change account",
    explanation="Only the fields that you change are changed. With another payment method or customer at the gateway, "
    "an invoice that was declined is tried at once. Another collection method counts from the next invoice, another "
    "tax rate from the next period. The plan, quantity and price are its terms, which have a button of their own.",
    done="The account was changed.",
    permission="update_account",
    offered=lambda account: True,
    perform=_update,
    preview=partial(action_preview, _update),
    form=AccountForm,
)
TERMS = Action(
    name="terms",
    label="Change terms",
    explanation="Another plan, quantity or price, or another billing day. Of a change today, the rest of the running "
    "period is credited at what was billed for it, and charged at the new price. You see what it comes to before "
    "anything is changed.",
    done="The terms were changed.",
    permission="change_account_terms",
    offered=lambda account: account.status != Account.Status.INACTIVE,
    perform=_change_terms,
    form=TermsForm,
    preview=_preview_terms,
)
WITHDRAW = Action(
    name="withdraw-terms",
    label="Withdraw pending terms",
    explanation="The terms that are agreed for a later day don't count any more, and those in force stay.",
    done="The pending terms were withdrawn.",
    permission="change_account_terms",
    offered=lambda account: _pending(account) is not None,
    perform=_withdraw_terms,
    preview=partial(action_preview, _withdraw_terms, pending=_to_withdraw),
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
    preview=partial(action_preview, _bill_debt),
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
