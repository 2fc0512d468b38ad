"""Credit notes: an invoice is reduced after it was issued, as a whole or in part, with a reason.

A credit note takes from what is outstanding, then from what was written off. The remainder is the customer's: it
goes to the account's credit balance or, with a refund, back to where the money came from.
"""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.db import transaction

from accounts.amounts import amount_error
from accounts.errors import Conflict, refined
from accounts.ids import new_id
from accounts.locked_accounts import LockedAccount
from accounts.models import TaxRate
from accounts.reasons import checked_reason
from accounts.tax_rates import tax_rates_by_id
from invoices.account_status import refresh_accounts
from invoices.credit_note_entries import entries_of
from invoices.credit_note_shares import (
    NOT_CREDITED,
    LineCredit,
    UnableToCreditInvoice,
    left_of,
    line_credits,
    lines_of,
    shares_of,
)
from invoices.items import items_of_prorated, remove_items
from invoices.locked_invoices import LockedInvoice, lock_invoice, save_invoices
from invoices.models import CreditNote, CreditNoteLine, InvoiceLine
from invoices.numbers import credit_note_numbers
from invoices.payment_application import note_first_paid
from invoices.period_claims import period_claims
from invoices.write_offs import check_not_in_flight
from ledger.posting import post


class AlreadyIssued(Conflict):
    code = "already-issued"


def issue_credit_note(
    *,
    invoice_id: uuid.UUID,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
    amount_minor: int | None = None,
    lines: Mapping[uuid.UUID, int] | None = None,
    credit_note_id: uuid.UUID | None = None,
) -> CreditNote:
    """Credit an invoice: these amounts of its lines, or an amount spread over the lines in proportion to what is left
    of them, or, given neither, all that is left, which may be more than one movement.

    Amounts are minor units of the invoice's currency, tax included. The remainder, after the outstanding and the
    written off, goes to the credit balance. `credit_note_id` is made by a client that may send the request twice.
    Raises `UnknownInvoice`, `UnableToCreditInvoice`, `PaymentInFlight`, `RefundInFlight`, `InvalidReason`, and
    `AlreadyIssued` for an id used before.
    """
    reason = checked_reason(reason)
    used = AlreadyIssued("This credit note was issued before.")
    with refined({"invoices_creditnote_pkey": used}), transaction.atomic():
        account, invoice = lock_invoice(invoice_id)
        if credit_note_id and CreditNote.objects.filter(id=credit_note_id).exists():
            raise used
        check_not_in_flight(invoice)
        if amount_minor is not None and (error := amount_error(amount_minor=amount_minor, currency=invoice.currency)):
            raise UnableToCreditInvoice(NOT_CREDITED, amount_minor=error)
        invoiced = lines_of([invoice])[invoice.id]
        shares = shares_of(invoice, invoiced, amount_minor=amount_minor, named=lines)
        credit_notes = CreditNotes(today=today, now=now)
        credit_notes.add(CreditNoteDraft(account, invoice, invoiced, shares, reason, author, id=credit_note_id))
        (credit_note,) = credit_notes.issue()
        # Some of it may have been paid, and the rest is credited.
        note_first_paid(account, invoice.status)
        refresh_accounts(accounts=[account], today=today, author=author, now=now)
        return credit_note


class CreditNoteDraft(NamedTuple):
    """A credit note to issue: its invoice, the invoice's account, and what it takes off which of the invoice's lines.
    `lines` are all that the invoice has: where nothing is left of it then, it takes all that is left of each of them,
    deductions included.

    A credit note of a change of terms names its proration, and the period goes on, even where nothing is left of it.
    """

    account: LockedAccount
    invoice: LockedInvoice
    lines: Sequence[InvoiceLine]
    shares: Mapping[InvoiceLine, int]
    reason: str
    author: str
    refund_id: uuid.UUID | None = None
    proration_id: uuid.UUID | None = None
    id: uuid.UUID | None = None


class CreditNotes:
    """Credit notes that are issued together, in statements whose number doesn't depend on theirs."""

    def __init__(self, *, today: datetime.date, now: datetime.datetime) -> None:
        self._today, self._now = today, now
        self._drafts: list[tuple[CreditNoteDraft, CreditNote]] = []
        self._credits: dict[uuid.UUID, dict[InvoiceLine, LineCredit]] = {}
        """By credit note, what it takes off each line."""

    def add(self, draft: CreditNoteDraft) -> None:
        """Take its amounts off the invoice and its lines; all that is unsaved until `issue`.

        With a refund the whole amount goes back to the customer, and nothing is taken from what is outstanding.
        """
        account, invoice = draft.account, draft.invoice
        credits = line_credits(draft.shares, draft.lines, of_a_change=draft.proration_id is not None)
        amount = sum(credit.amount_minor for credit in credits.values())
        from_outstanding = from_written_off = to_balance = to_refund = 0
        if draft.refund_id is None:
            from_outstanding = min(amount, invoice.amounts.outstanding)
            from_written_off = min(amount - from_outstanding, invoice.amounts.written_off)
            to_balance = amount - from_outstanding - from_written_off
        else:
            to_refund = amount
        account.credit_balance_minor += to_balance
        invoice.change(
            credited=from_outstanding + from_written_off,
            written_off=-from_written_off,
            credited_to_balance=to_balance,
            credited_to_refund=to_refund,
        )
        for line, credit in credits.items():
            line.credited_minor += credit.amount_minor
        credit_note = CreditNote(
            id=draft.id or new_id(),
            invoice_id=invoice.id,
            account_id=account.id,
            currency=account.currency,
            issued_on=self._today,
            amount_minor=amount,
            tax_minor=sum(credit.tax_minor for credit in credits.values()),
            from_outstanding_minor=from_outstanding,
            from_written_off_minor=from_written_off,
            to_balance_minor=to_balance,
            to_refund_minor=to_refund,
            refund_id=draft.refund_id,
            proration_id=draft.proration_id,
            reason=draft.reason,
            created_by=draft.author,
            created_at=self._now,
        )
        self._drafts.append((draft, credit_note))
        self._credits[credit_note.id] = credits

    def issue(self) -> list[CreditNote]:
        """Write them, their entries, and their invoices; the accounts' changes are the caller's to save."""
        if not self._drafts:
            return []
        notes = [note for _, note in self._drafts]
        numbers = credit_note_numbers(accounts=[draft.account for draft, _ in self._drafts], today=self._today)
        for note, number in zip(notes, numbers, strict=True):
            note.number = number
        CreditNote.objects.bulk_create(notes)
        self._credit_lines()
        tax_rates = self._tax_rates()
        postings = [posting for note in notes for posting in entries_of(note, self._credits[note.id], tax_rates)]
        post(postings=postings, effective_on=self._today, author=notes[0].created_by)
        save_invoices(list({draft.invoice.id: draft.invoice for draft, _ in self._drafts}.values()))
        self._void_periods()
        return notes

    def _tax_rates(self) -> dict[uuid.UUID, TaxRate]:
        """The rates of the taxes that go back, by id; without a statement where none does."""
        credited = [pair for credits in self._credits.values() for pair in credits.items()]
        return tax_rates_by_id({line.tax_rate_id for line, (_, tax) in credited if tax and line.tax_rate_id})

    def _credit_lines(self) -> None:
        """Note on the lines what was credited of them."""
        credited = [
            CreditNoteLine(
                credit_note=note,
                line=line,
                amount_minor=credit.amount_minor,
                tax_minor=credit.tax_minor,
                named_minor=draft.shares.get(line, 0),
            )
            for draft, note in self._drafts
            for line, credit in self._credits[note.id].items()
        ]
        lines = {each.line_id: each.line for each in credited}
        InvoiceLine.objects.bulk_update(lines.values(), ["credited_minor"])
        CreditNoteLine.objects.bulk_create(credited)

    def _void_periods(self) -> None:
        """A period of which nothing is left is VOIDED, unless other terms took its place, or its line only went along
        with the last that was left of others; what waits of its changes is never invoiced then.
        """
        given_back = {
            line.rebilling_id
            for draft, _ in self._drafts
            for line in draft.shares
            if line.rebilling_id and not draft.proration_id
            if not left_of(line) or draft.invoice.amounts.credit_notes == draft.invoice.amounts.total
        }
        if given_back:
            accounts = {draft.account.id: draft.account for draft, _ in self._drafts}
            voided = period_claims().void(accounts=list(accounts.values()), rebilling_ids=given_back)
            waiting = items_of_prorated(voided)
            why = "Its billing period was given back"
            remove_items(
                [(accounts[account_id], items) for account_id, items in waiting.items()],
                reason=why,
                author=self._drafts[0][0].author,
                now=self._now,
            )
