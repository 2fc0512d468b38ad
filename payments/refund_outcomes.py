"""Recording what became of refunds, and booking those that succeeded: both the money and the credit note, or
neither.
"""

import datetime
import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from accounts.locked_accounts import LockedAccount, lock_accounts_of
from invoices.account_status import refresh_accounts
from invoices.credit_note_shares import lines_of, shares_of
from invoices.credit_notes import CreditNoteDraft, CreditNotes
from invoices.locked_invoices import LockedInvoice, invoices_by_id, save_invoices
from ledger.models import EntryType
from ledger.posting import Posting, post
from payments.amount_checks import NOT_RESERVED
from payments.gateways.port import Outcome
from payments.models import Payment, Refund
from payments.outcome_bisection import Recorded, record_with_bisection
from payments.outcomes import write_outcomes
from payments.refund_reservations import reserve

NOT_GIVEN_BACK = (
    "the gateway refused to send back what the account had paid for the days after it was closed: refund it again, or "
    "grant credit"
)


def record_refund_outcomes(
    *, outcomes: Mapping[uuid.UUID, Outcome], today: datetime.date, now: datetime.datetime, author: str = ""
) -> Recorded[Refund]:
    """Record the outcomes of refunds that are in flight, and book those that succeeded.

    `today` is the billing day that the entries go by; they name `author`, or else who requested the refund. The
    amount that a FAILED one had reserved is free again. An outcome that the database refuses needs review, and holds up
    no other.
    """
    if not outcomes:
        return Recorded()

    def record(batch: Mapping[uuid.UUID, Outcome]) -> Recorded[Refund]:
        return _record(outcomes=batch, today=today, now=now, author=author)

    return record_with_bisection(model=Refund, outcomes=outcomes, record=record, rows_of=_refunds, now=now)


def _refunds(ids: Collection[uuid.UUID]) -> list[Refund]:
    return list(Refund.objects.filter(id__in=ids).select_related("payment").order_by("id"))


def _record(
    *, outcomes: Mapping[uuid.UUID, Outcome], today: datetime.date, now: datetime.datetime, author: str
) -> Recorded[Refund]:
    accounts = lock_accounts_of(Refund, outcomes)
    written = write_outcomes(model=Refund, accounts=accounts, outcomes=outcomes, now=now)
    refunds = _refunds(written)
    failed = [refund for refund in refunds if refund.status == Refund.Status.FAILED]
    _book(
        accounts,
        succeeded=[refund for refund in refunds if refund.status == Refund.Status.SUCCEEDED],
        failed=failed,
        today=today,
        now=now,
        author=author,
    )
    _have_reviewed([refund for refund in failed if refund.line_id])
    return Recorded(rows=[(refund, written[refund.id]) for refund in refunds])


def _have_reviewed(failed: Sequence[Refund]) -> None:
    """These were to give back what a closed account had paid for days that it doesn't get: nobody else asks again."""
    for refund in failed:
        refund.needs_review = True
        refund.review_reason = refund.review_reason or NOT_GIVEN_BACK
    Refund.objects.bulk_update(failed, ["needs_review", "review_reason"])


def book_refund(
    refund: Refund, *, account: LockedAccount, today: datetime.date, now: datetime.datetime, author: str
) -> None:
    """Book a refund of the account that has just succeeded, and whose amount is reserved: its entry, its credit note,
    and the payment. Saves the account.
    """
    _book({account.id: account}, succeeded=[refund], failed=[], today=today, now=now, author=author)


def _book(
    accounts: Mapping[uuid.UUID, LockedAccount],
    *,
    succeeded: Sequence[Refund],
    failed: Sequence[Refund],
    today: datetime.date,
    now: datetime.datetime,
    author: str,
) -> None:
    invoice_ids = {refund.payment.invoice_id for refund in (*succeeded, *failed) if refund.payment.invoice_id}
    invoices = invoices_by_id(accounts=accounts.values(), ids=invoice_ids)
    # What each had reserved is free again; booking one that succeeded takes it for good. One that wasn't sent, because
    # nothing had reserved it, has nothing to free.
    for refund in (*succeeded, *failed):
        if refund.failure_code != NOT_RESERVED:
            account, invoice = accounts[refund.account_id], _invoice_of(refund, invoices)
            reserve(account, invoice, source=refund.source, amount_minor=-refund.amount_minor)
    _post(succeeded, invoices, today=today, author=author)
    _note_refunded(succeeded)
    _credit_invoices(accounts, invoices, succeeded, today=today, now=now, author=author)
    save_invoices(list(invoices.values()))
    if succeeded or failed:
        refresh_accounts(
            accounts=list(accounts.values()), today=today, author=author or first_requester(succeeded, failed), now=now
        )


def first_requester(succeeded: Sequence[Refund], failed: Sequence[Refund]) -> str:
    """Who requested the first of them, for the history of what follows."""
    return (*succeeded, *failed)[0].created_by


def _invoice_of(refund: Refund, invoices: Mapping[uuid.UUID, LockedInvoice]) -> LockedInvoice | None:
    invoice_id = refund.payment.invoice_id
    return invoices[invoice_id] if invoice_id and refund.source == Refund.Source.PAYMENT else None


def _post(
    refunds: Sequence[Refund], invoices: Mapping[uuid.UUID, LockedInvoice], *, today: datetime.date, author: str
) -> None:
    postings = []
    for refund in refunds:
        invoice = _invoice_of(refund, invoices)
        posting = Posting(
            type=EntryType.REFUND,
            account_id=refund.account_id,
            amount_minor=refund.amount_minor,
            currency=refund.currency,
            description=refund.reason,
            idempotency_key=f"refund:{refund.id}",
            invoice_id=invoice.id if invoice else None,
            refund_id=refund.id,
            author=author or refund.created_by,
        )
        postings.append(posting)
    post(postings=postings, effective_on=today, author=author)


def _note_refunded(refunds: Sequence[Refund]) -> None:
    """Note on the payments what was sent back of them."""
    amounts: Counter[uuid.UUID] = Counter()
    for refund in refunds:
        amounts[refund.payment_id] += refund.amount_minor
    payments = list(Payment.objects.filter(id__in=amounts))
    for payment in payments:
        payment.refunded_minor += amounts[payment.id]
    Payment.objects.bulk_update(payments, ["refunded_minor"])


def _credit_invoices(
    accounts: Mapping[uuid.UUID, LockedAccount],
    invoices: Mapping[uuid.UUID, LockedInvoice],
    refunds: Sequence[Refund],
    *,
    today: datetime.date,
    now: datetime.datetime,
    author: str,
) -> None:
    """From the payment, its invoice gets a credit note for the same amount; from the balance, the credit is less."""
    lines = lines_of(invoices.values())
    credit_notes = CreditNotes(today=today, now=now)
    for refund in refunds:
        account, invoice = accounts[refund.account_id], _invoice_of(refund, invoices)
        if invoice is None:
            account.credit_balance_minor -= refund.amount_minor
            continue
        invoice.change(refunded=refund.amount_minor)
        shares = shares_of(invoice, lines[invoice.id], amount_minor=refund.amount_minor, first=refund.line_id)
        draft = CreditNoteDraft(
            account,
            invoice,
            lines[invoice.id],
            shares,
            refund.reason,
            author or refund.created_by,
            refund_id=refund.id,
        )
        credit_notes.add(draft)
    credit_notes.issue()
