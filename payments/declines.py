"""What follows from a payment that the gateway didn't make: a decline of the customer's, or something else."""

import datetime
from dataclasses import dataclass

from accounts.locked_accounts import LockedAccount
from accounts.models import Account
from invoices.dunning_schedule import has_begun, plan_next_step
from invoices.locked_invoices import LockedInvoice
from invoices.payment_application import carry_forward
from payments.amount_checks import SUPERSEDED
from payments.gateways.port import Declined
from payments.models import Payment
from payments.outcomes import OUR_FAULT

AMOUNT_TOO_SMALL = "amount_too_small"
BY_PERSON = "resolved_by_person"
"""The code where a person found that no money was moved. It is no decline."""


@dataclass(frozen=True, slots=True)
class AfterDecline:
    """What is to be done once the batch's invoices and accounts are saved.

    `replaced_for`: what is still outstanding is to be collected by another payment, with this cause. `is_paid`: the
    invoice is, by carrying its small amount forward. `closes`: the sign-up had to be paid, and the account is closed.
    """

    replaced_for: Payment.Cause | None = None
    is_paid: bool = False
    closes: bool = False


def handle_decline(
    outcome: Declined,
    *,
    account: LockedAccount,
    invoice: LockedInvoice,
    cause: Payment.Cause,
    amount_minor: int,
    by_old_method: bool,
    today: datetime.date,
) -> AfterDecline:
    """Change the account and the invoice, unsaved, by what the code says; returns what is to be done next.

    Only what the customer's bank, or the lack of a payment method, refused counts as a decline. The cause and the
    amount, in minor units, are the payment's; `by_old_method` says that the account has another payment method by now.
    """
    if outcome.code in {SUPERSEDED, BY_PERSON}:
        # The invoice was paid in part or whole meanwhile, or a person found that nothing was moved.
        return AfterDecline(replaced_for=cause)
    if outcome.code == AMOUNT_TOO_SMALL:
        if not 0 < invoice.amounts.outstanding <= amount_minor:
            # Money came for it meanwhile, or was taken back: what was too small isn't what is outstanding now.
            return AfterDecline(replaced_for=cause)
        carry_forward(account, invoice, today=today)
        return AfterDecline(is_paid=True)
    if outcome.code in OUR_FAULT:
        # The payment needs review. A step is taken again; otherwise nothing collects the invoice until a person does.
        if cause == Payment.Cause.DUNNING:
            _undo_step(account, today=today)
        return AfterDecline()
    if by_old_method:
        # The old method was declined; the new one is yet to be tried.
        return AfterDecline(replaced_for=Payment.Cause.PAYMENT_METHOD)
    return _note_decline(account, invoice, cause=cause, hard=outcome.hard, today=today)


def _note_decline(
    account: LockedAccount, invoice: LockedInvoice, *, cause: Payment.Cause, hard: bool, today: datetime.date
) -> AfterDecline:
    """Note that a payment of the invoice was declined, unsaved, and when the account is dunned next.

    `refresh_accounts`, which follows, makes the account PAST_DUE. A hard decline makes the payment method unusable:
    steps then pass on their days without a call of the gateway, so that the customer has time. An attempt that a
    person, or a new payment method, caused never counts as a step. An invoice that is sent to the customer isn't
    dunned: a person asked for that attempt alone. An account whose sign-up must be paid isn't dunned either: it is
    closed.
    """
    if hard:
        account.mark_method_unusable(reason="the payment method was declined for good")
    if not invoice.is_automatic:
        return AfterDecline()
    if account.closes_on_decline:
        return AfterDecline(closes=True)
    invoice.declined_on = invoice.declined_on or today
    if not has_begun(account) or cause == Payment.Cause.DUNNING:
        plan_next_step(account, today=today)
    return AfterDecline()


def note_unusable(account: LockedAccount, *, today: datetime.date) -> None:
    """Note that an invoice counts as declined, since the account's payment method can't be used; unsaved."""
    if not has_begun(account):
        plan_next_step(account, today=today)
    if not account.is_inactive:
        account.become(Account.Status.PAST_DUE, reason="an invoice was declined")


def _undo_step(account: LockedAccount, *, today: datetime.date) -> None:
    """A step that failed by our own fault doesn't count; unsaved. It is taken again tomorrow, for so many days as
    `payments/dunning_steps.py` says.
    """
    account.dunning_steps = max(0, account.dunning_steps - 1)
    account.dunning_on = today + datetime.timedelta(days=1)
