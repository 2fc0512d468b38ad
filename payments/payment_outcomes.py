"""Recording what became of payments, and all that follows: entries, invoices, credit, dunning and account statuses.

One transaction per batch, or per part of one that the database refuses (`accounts/bisection.py`). Recorded twice, an
outcome counts once: a payment whose outcome is known stays as it is.
"""

import datetime
import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from django.db import connection

from accounts.array_literals import uuid_array
from accounts.authors import SYSTEM
from accounts.locked_accounts import LockedAccount, lock_accounts_of, save_accounts
from accounts.models import Account
from accounts.sql_files import query
from invoices.account_status import refresh_accounts
from invoices.dunning_schedule import is_over
from invoices.locked_invoices import LockedInvoice, invoices_by_id, open_invoices, save_invoices
from invoices.models import Invoice
from invoices.payment_application import apply_payment
from ledger.posting import Posting, post
from payments.authentications import keep_secrets
from payments.declines import handle_decline, note_unusable
from payments.dunning import deactivate_if_over, next_declined, submit_and_mark
from payments.gateways.port import Declined, Outcome, Succeeded
from payments.models import Payment
from payments.outcome_bisection import Recorded, record_with_bisection
from payments.outcomes import write_outcomes
from payments.payment_entries import payment_postings
from payments.unpaid_sign_ups import close_unpaid


class RecordedPayment(NamedTuple):
    """A payment whose outcome was written just now. Fields are those of `payments.models.Payment`."""

    id: uuid.UUID
    account_id: uuid.UUID
    invoice_id: uuid.UUID
    cause: str
    amount_minor: int
    currency: str
    status: str
    decline_code: str
    needs_review: bool
    gateway: str
    completed_at: datetime.datetime | None
    customer: str
    payment_method: str
    may_be_authenticated: bool
    """Whether it waits, or waited until now, for the customer."""

    def is_by_old_method(self, account: LockedAccount) -> bool:
        """Whether the account has another customer or payment method at the gateway by now."""
        method = (account.payment_customer, account.payment_method)
        return bool(account.payment_method) and (self.customer, self.payment_method) != method


def record_payment_outcomes(
    *, outcomes: Mapping[uuid.UUID, Outcome], today: datetime.date, now: datetime.datetime, author: str = SYSTEM
) -> Recorded[RecordedPayment]:
    """Record the outcomes of payments that are in flight, and what follows.

    `today` is the billing day that the entries go by. An outcome that the database refuses needs review, and holds up
    no other.
    """
    if not outcomes:
        return Recorded()

    def record(batch: Mapping[uuid.UUID, Outcome]) -> Recorded[RecordedPayment]:
        return _Batch(outcomes=batch, today=today, now=now, author=author).record()

    return record_with_bisection(model=Payment, outcomes=outcomes, record=record, rows_of=recorded_payments, now=now)


def recorded_payments(ids: Collection[uuid.UUID]) -> list[RecordedPayment]:
    """The payments as they are now, in order."""
    with connection.cursor() as cursor:
        cursor.execute(query(__file__, "payments_by_id"), {"ids": uuid_array(ids)})
        return [RecordedPayment(*row) for row in cursor.fetchall()]


NextAttempt = tuple[RecordedPayment, Payment.Cause, LockedInvoice]
"""The payment before, and the cause and the invoice of the next one."""


class _Batch:
    """The outcomes of one batch on their way into the database, in the transaction of `bisect_batch`."""

    def __init__(
        self, *, outcomes: Mapping[uuid.UUID, Outcome], today: datetime.date, now: datetime.datetime, author: str
    ) -> None:
        self.outcomes, self.today, self.now, self.author = outcomes, today, now, author
        self.postings: list[Posting] = []
        self.excess: dict[uuid.UUID, int] = {}
        self.to_refresh: dict[uuid.UUID, LockedAccount] = {}
        self.received: set[uuid.UUID] = set()
        self.to_replace: list[tuple[RecordedPayment, Payment.Cause]] = []
        """Payments of which something may still be outstanding, without a decline, and the cause of the next one."""
        self.try_next: dict[uuid.UUID, RecordedPayment] = {}
        """By account, payments that are paid, after which the account's next declined invoice is tried at once."""
        self.unpaid: dict[uuid.UUID, tuple[LockedAccount, str]] = {}
        """The accounts whose sign-up had to be paid and was declined, each with the code."""
        self.submitted: list[uuid.UUID] = []

    def record(self) -> Recorded[RecordedPayment]:
        self.accounts = lock_accounts_of(Payment, self.outcomes)
        written = write_outcomes(model=Payment, accounts=self.accounts, outcomes=self.outcomes, now=self.now)
        rows = recorded_payments(written)
        keep_secrets(rows, self.outcomes)
        invoices = invoices_by_id(accounts=self.accounts.values(), ids=[row.invoice_id for row in rows])
        for row in rows:
            self._follow(row, written[row.id].outcome, self.accounts[row.account_id], invoices[row.invoice_id])
        post(postings=self.postings, effective_on=self.today, author=self.author)
        overpaid = [Payment(id=payment_id, excess_minor=excess) for payment_id, excess in self.excess.items()]
        Payment.objects.bulk_update(overpaid, ["excess_minor"])
        save_invoices(list(invoices.values()))
        # Invoices are saved: each step from here on reads them anew, and saves what it changes. The accounts are saved
        # by the steps that change them; of one that none of these takes, nothing has changed.
        close_unpaid(list(self.unpaid.values()), today=self.today, author=self.author, now=self.now)
        refresh_accounts(
            accounts=list(self.to_refresh.values()),
            today=self.today,
            author=self.author,
            now=self.now,
            received=self.received,
        )
        self._replace_payments()
        self._try_next_invoices()
        self._end_dunning()
        return Recorded(rows=[(row, written[row.id]) for row in rows], submitted=self.submitted)

    def _follow(self, row: RecordedPayment, outcome: Outcome, account: LockedAccount, invoice: LockedInvoice) -> None:
        """What follows from one outcome, for the invoice and the account; unsaved."""
        if isinstance(outcome, Succeeded):
            self._succeeded(row, account, invoice)
        elif isinstance(outcome, Declined):
            invoice.in_flight = False
            self.to_refresh[account.id] = account
            self._declined(row, outcome, account, invoice)

    def _succeeded(self, row: RecordedPayment, account: LockedAccount, invoice: LockedInvoice) -> None:
        invoice.in_flight = False
        # Taken before the money changes the account. An ACTIVE one without credit that pays its invoice whole stays
        # as it is, and is not looked at: nearly all are such.
        needs_refresh = account.status != Account.Status.ACTIVE or account.credit_balance_minor != 0
        applied = apply_payment(account, invoice, amount_minor=row.amount_minor)
        if applied.excess_minor:
            self.excess[row.id] = applied.excess_minor
        self.postings += payment_postings(
            payment_id=row.id,
            account=account,
            invoice=invoice,
            amount_minor=row.amount_minor,
            recovered_minor=applied.recovered_minor,
            description=f"Payment of invoice {invoice.number} by {row.gateway}",
        )
        if needs_refresh or applied.excess_minor or invoice.status == Invoice.Status.OPEN:
            self.to_refresh[account.id] = account
            self.received.add(account.id)
        if account.status == Account.Status.PAST_DUE or account.is_inactive:
            self._try_next_after(row)

    def _declined(
        self, row: RecordedPayment, outcome: Declined, account: LockedAccount, invoice: LockedInvoice
    ) -> None:
        after = handle_decline(
            outcome,
            account=account,
            invoice=invoice,
            cause=Payment.Cause(row.cause),
            amount_minor=row.amount_minor,
            by_old_method=row.is_by_old_method(account),
            today=self.today,
        )
        if after.closes:
            self.unpaid[account.id] = (account, outcome.code)
        if after.replaced_for:
            self.to_replace.append((row, after.replaced_for))
        if after.is_paid:
            self._try_next_after(row)

    def _try_next_after(self, row: RecordedPayment) -> None:
        """After a step, and after a new payment method, the next invoice is tried: both stop at a decline. Who asks for
        one invoice asks for no other, and after a new invoice the older ones wait for their step.
        """
        if row.cause in {Payment.Cause.DUNNING, Payment.Cause.PAYMENT_METHOD}:
            self.try_next[row.account_id] = row

    def _replace_payments(self) -> None:
        """What is still outstanding of these payments' invoices, after credit, is collected by new payments. After one
        that is paid by now, the account's next invoice is tried.
        """
        if not self.to_replace:
            return
        accounts = [self.accounts[row.account_id] for row, _ in self.to_replace]
        by_account = open_invoices(accounts=accounts)
        attempts: list[NextAttempt] = []
        counted_as_declined: list[LockedInvoice] = []
        declined_accounts: dict[uuid.UUID, LockedAccount] = {}
        for row, cause in self.to_replace:
            account = self.accounts[row.account_id]
            invoice = next((each for each in by_account[account.id] if each.id == row.invoice_id), None)
            if invoice is None:
                self._try_next_after(row)
            elif account.payment_method_unusable and cause != Payment.Cause.REQUEST:
                invoice.declined_on = invoice.declined_on or self.today
                note_unusable(account, today=self.today)
                declined_accounts[account.id] = account
                counted_as_declined.append(invoice)
            else:
                attempts.append((row, cause, invoice))
        save_invoices(counted_as_declined)
        save_accounts(declined_accounts.values(), author=self.author, now=self.now)
        self._submit(attempts)

    def _try_next_invoices(self) -> None:
        if not self.try_next:
            return
        by_account = open_invoices(accounts=[self.accounts[account_id] for account_id in self.try_next])
        attempts: list[NextAttempt] = []
        for account_id, row in self.try_next.items():
            invoice = next_declined(by_account[account_id])
            if invoice and not self.accounts[account_id].payment_method_unusable:
                attempts.append((row, Payment.Cause(row.cause), invoice))
        self._submit(attempts)

    def _submit(self, attempts: Sequence[NextAttempt]) -> None:
        """Submit payments of the invoices, in as many statements as there are causes and gateways."""
        groups: dict[tuple[Payment.Cause, str], list[tuple[LockedAccount, LockedInvoice]]] = defaultdict(list)
        for row, cause, invoice in attempts:
            groups[cause, row.gateway].append((self.accounts[row.account_id], invoice))
        for (cause, gateway), group in groups.items():
            self.submitted += submit_and_mark(group, cause=cause, gateway=gateway, author=self.author, now=self.now)

    def _end_dunning(self) -> None:
        """Accounts whose schedule is over, with something declined and no attempt at it in flight, become INACTIVE."""
        over = [account for account in self.to_refresh.values() if is_over(account) and not account.is_inactive]
        if not over:
            return
        by_account = open_invoices(accounts=over)
        for account in over:
            deactivate_if_over(account, by_account[account.id])
        save_accounts(over, author=self.author, now=self.now)
