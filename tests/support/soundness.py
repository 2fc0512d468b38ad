"""What must hold of all rows at every moment, whatever happened in whatever order. Derived anew, by other ways.

That states change as `docs/states.md` says, and in no other way, the database holds.
"""

import datetime
import itertools
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from django.conf import settings

from accounts.models import Account, AccountChange
from accounts.terms import terms_of
from invoices.models import Invoice
from ledger.balances import balances, book_totals
from ledger.models import Entry
from payments.models import OFFLINE, Payment, Refund
from payments.outcomes import OUR_FAULT
from rebilling.books import changed_runs, discrepancies
from rebilling.models import Rebilling, SkipReason
from tests.support.calendar_oracle import oracle_starts
from tests.support.every_row import Rows, grouped, summed
from tests.support.states_page import changes

_FIELDS = Entry._meta.concrete_fields


@dataclass
class Soundness:
    """Looks at every row, and remembers what it saw."""

    _entries: dict[uuid.UUID, tuple[object, ...]] = field(default_factory=dict)
    _issued: dict[uuid.UUID, tuple[object, ...]] = field(default_factory=dict)
    _prices: dict[uuid.UUID, tuple[object, ...]] = field(default_factory=dict)

    def check(self) -> None:
        rows = Rows()
        self._check_nothing_was_rewritten(rows)
        _check_periods(rows)
        _check_invoices(rows)
        _check_numbers(rows)
        _check_lines(rows)
        _check_items(rows)
        _check_what_was_given_back(rows)
        _check_changes_of_terms(rows)
        _check_credit_notes(rows)
        _check_payments(rows)
        _check_refunds(rows)
        _check_balances(rows)
        _check_histories(rows)
        _check_statuses(rows)
        _check_dunning(rows)
        _check_nothing_is_forgotten(rows)
        # The hourly check sees nothing of all this.
        assert (discrepancies(), changed_runs()) == ([], [])

    def _check_nothing_was_rewritten(self, rows: Rows) -> None:
        """Entries and what was issued stay; what a period costs is fixed when it is found due."""
        entries = {entry.id: tuple(getattr(entry, field.attname) for field in _FIELDS) for entry in rows.entries}
        issued: dict[uuid.UUID, tuple[object, ...]] = {
            invoice.id: (invoice.number, invoice.total_minor, invoice.issued_on, invoice.due_on)
            for invoice in rows.invoices
        }
        issued |= {
            line.id: (line.invoice_id, line.amount_minor, line.tax_minor, line.description) for line in rows.lines
        }
        prices: dict[uuid.UUID, tuple[object, ...]] = {
            row.id: (row.quantity, row.discount_minor, row.amount_minor, row.tax_rate_id, row.description)
            for row in rows.rebillings
        }
        for before, now in ((self._entries, entries), (self._issued, issued), (self._prices, prices)):
            assert all(now.get(id_) == was for id_, was in before.items())
        self._entries, self._issued, self._prices = entries, issued, prices


def _check_periods(rows: Rows) -> None:
    """No day of an account is claimed twice, and each period that was charged is on one line of its invoice."""
    by_account = grouped(rows.rebillings, lambda row: row.account_id)
    for of_account in by_account.values():
        live = [row for row in of_account if row.status in {"DUE", "CHARGED", "PARKED"}]
        for earlier, later in itertools.pairwise(live):
            assert earlier.ended_on <= later.period_start
    lines = grouped([line for line in rows.lines if line.kind == "period"], lambda line: line.rebilling_id)
    invoices = {invoice.id: invoice for invoice in rows.invoices}
    for row in rows.rebillings:
        found = [
            (line.invoice_id, line.period_start, line.period_end, line.amount_minor, line.quantity)
            for line in lines.pop(row.id, [])
        ]
        if row.status in {"CHARGED", "VOIDED"}:
            assert row.invoice_id is not None
            assert found == [(row.invoice_id, row.period_start, row.period_end, row.amount_minor, row.quantity)]
            assert invoices[row.invoice_id].account_id == row.account_id
        else:
            assert found == []
    assert not lines
    for account in rows.accounts:
        _check_dates(account, by_account[account.id])


def _check_dates(account: Account, rows: Iterable[Rebilling]) -> None:
    """The rebilling date is where what was charged, or skipped by a person, ends."""
    since = [row for row in rows if row.period_start >= account.first_rebilling_date]
    charged = [row for row in since if row.status == "CHARGED" or row.reason == SkipReason.BY_PERSON]
    assert account.rebilling_date >= max((row.period_end for row in charged), default=account.first_rebilling_date)
    ends = {row.period_end for row in (*charged, *(row for row in since if row.status == "VOIDED"))}
    assert account.rebilling_date in {account.first_rebilling_date, *ends}


def _check_invoices(rows: Rows) -> None:
    """Each is the sum of its lines, and of what became of it since; its status follows."""
    totals = summed(rows.lines, lambda line: line.invoice_id, lambda line: line.total_minor)
    taxes = summed(rows.lines, lambda line: line.invoice_id, lambda line: line.tax_minor)
    paid = summed(rows.payments, lambda payment: payment.invoice_id, rows.paid_of)
    of_payment = {payment.id: payment.invoice_id for payment in rows.payments}
    refunded = summed(
        [refund for refund in rows.from_payment if refund.status == "SUCCEEDED"],
        lambda refund: of_payment[refund.payment_id],
        lambda refund: refund.amount_minor,
    )
    refunding = summed(
        [refund for refund in rows.from_payment if refund.status in Refund.IN_FLIGHT],
        lambda refund: of_payment[refund.payment_id],
        lambda refund: refund.amount_minor,
    )
    notes = grouped(rows.credit_notes, lambda note: note.invoice_id)
    bad_debt = summed(
        rows.entries,
        lambda entry: entry.invoice_id,
        lambda entry: entry.amount_minor * ((entry.debit == "bad_debt") - (entry.credit == "bad_debt")),
    )
    in_flight = {payment.invoice_id for payment in rows.payments if payment.status in Payment.IN_FLIGHT}
    for invoice in rows.invoices:
        assert (invoice.total_minor, invoice.tax_minor) == (totals[invoice.id], taxes[invoice.id])
        assert invoice.paid_minor == paid[invoice.id]
        assert (invoice.refunded_minor, invoice.refunding_minor) == (refunded[invoice.id], refunding[invoice.id])
        assert invoice.written_off_minor == bad_debt[invoice.id]
        of_invoice = notes[invoice.id]
        assert (invoice.credited_minor, invoice.credited_to_balance_minor, invoice.credited_to_refund_minor) == (
            sum(note.from_outstanding_minor + note.from_written_off_minor for note in of_invoice),
            sum(note.to_balance_minor for note in of_invoice),
            sum(note.to_refund_minor for note in of_invoice),
        )
        assert sum(note.amount_minor for note in of_invoice) + invoice.refunding_minor <= invoice.total_minor
        assert invoice.refunded_minor + invoice.refunding_minor <= invoice.paid_minor
        assert (invoice.status == "OPEN") == (invoice.outstanding_minor > 0)
        assert invoice.outstanding_minor >= 0
        assert (invoice.status == "UNCOLLECTIBLE") <= (invoice.written_off_minor > 0)
        assert invoice.in_flight == (invoice.id in in_flight)


def _check_numbers(rows: Rows) -> None:
    """Each account's invoices and credit notes are numbered without a gap."""
    invoices = grouped(rows.invoices, lambda invoice: invoice.account_id)
    notes = grouped(rows.credit_notes, lambda note: note.account_id)
    for account in rows.accounts:
        assert [invoice.number for invoice in invoices[account.id]] == [
            f"{account.number_prefix}-{number:04}" for number in range(1, account.invoices_issued + 1)
        ]
        assert [note.number for note in notes[account.id]] == [
            f"{account.number_prefix}-CN-{number:04}" for number in range(1, account.credit_notes_issued + 1)
        ]


def _check_lines(rows: Rows) -> None:
    """Each line that isn't for nothing has its entry, and no charge or deduction is without its line; no period is
    charged twice.
    """
    owners = {invoice.id: invoice.account_id for invoice in rows.invoices}
    signs = {"charge": 1, "deduction": -1}
    assert sorted(
        (
            *(str(entry.line_id), str(entry.account_id), str(entry.invoice_id)),
            *(signs[entry.type] * entry.amount_minor, str(entry.period_start)),
        )
        for entry in rows.entries
        if entry.type in signs
    ) == sorted(
        (
            *(str(line.id), str(owners[line.invoice_id]), str(line.invoice_id)),
            line.total_minor - line.tax_minor,
            str(line.period_start),
        )
        for line in rows.lines
        if line.total_minor != line.tax_minor
    )
    credited = summed(rows.credit_note_lines, lambda share: share.line_id, lambda share: share.amount_minor)
    for line in rows.lines:
        assert line.credited_minor == credited[line.id]
        assert min(0, line.total_minor) <= line.credited_minor <= max(0, line.total_minor)


def _check_items(rows: Rows) -> None:
    """Each is on lines of its account's invoices, up to its amount, or still waits; no invoice is below zero."""
    owners = {invoice.id: invoice.account_id for invoice in rows.invoices}
    waiting = {row.id: row.account_id for row in rows.rebillings if row.status in {"DUE", "PARKED"}}
    lines = grouped([line for line in rows.lines if line.item_id], lambda line: line.item_id)
    for item in rows.items:
        of_item = lines.pop(item.id, [])
        assert {owners[line.invoice_id] for line in of_item} <= {item.account_id}
        assert item.invoiced_minor == sum(line.amount_minor for line in of_item)
        assert item.rebilling_id is None or waiting[item.rebilling_id] == item.account_id
        if item.amount_minor > 0:
            assert len(of_item) == (item.status == "invoiced")
    assert not lines
    closed = {account.id for account in rows.accounts if account.inactive_reason == "closed"}
    assert [item for item in rows.items if item.status == "pending" and item.account_id in closed] == []
    assert min((invoice.total_minor for invoice in rows.invoices), default=0) >= 0


def _check_what_was_given_back(rows: Rows) -> None:
    """A period is VOIDED where it was cut off on its first day, or all that was billed for it was credited; but not by
    a change of terms. Of an invoice that was credited whole nothing is left.
    """
    whole = {
        invoice.id
        for invoice in rows.invoices
        if invoice.total_minor
        == invoice.credited_minor + invoice.credited_to_balance_minor + invoice.credited_to_refund_minor
    }
    lines = grouped([line for line in rows.lines if line.rebilling_id], lambda line: line.rebilling_id)
    changed = {row.rebilling_id for row in rows.prorations}
    for row in rows.rebillings:
        of_row = [line for line in lines[row.id] if line.invoice_id not in whole]
        left = sum(line.total_minor - line.credited_minor for line in of_row)
        cut_off = row.ended_on == row.period_start
        if row.status == "VOIDED":
            assert left <= 0 or cut_off
        elif row.id not in changed:
            assert not cut_off
            assert left > 0 or not any(line.credited_minor for line in lines[row.id])


def _check_changes_of_terms(rows: Rows) -> None:
    """What was billed for a period, less what changes gave back, is the day-weighted price within half a minor unit."""
    changes = grouped(rows.prorations, lambda row: row.rebilling_id)
    credited = {share.line_id for share in rows.credit_note_lines if share.credit_note_id not in rows.notes_of_changes}
    lines = grouped(rows.lines, lambda line: line.rebilling_id)
    # What an item took off an invoice isn't given back.
    deducted = {line.invoice_id for line in rows.lines if line.kind == "item" and line.amount_minor < 0}
    credited |= {line.id for line in rows.lines if line.invoice_id in deducted}
    for row in rows.rebillings:
        if row.id in changes and not any(line.id in credited for line in lines[row.id]):
            billed = row.amount_minor + sum(change.charge_minor - change.credit_minor for change in changes[row.id])
            weighted, price, since = 0, row.amount_minor, row.period_start
            for change in changes[row.id]:
                weighted += price * (change.changed_on - since).days
                price, since = change.price_after_minor, change.changed_on
            weighted += price * (row.period_end - since).days
            assert abs(Fraction(weighted, (row.period_end - row.period_start).days) - billed) <= Fraction(1, 2)


def _check_credit_notes(rows: Rows) -> None:
    """Each is the sum of its lines, and is booked line by line."""
    lines = summed(rows.credit_note_lines, lambda share: share.credit_note_id, lambda share: share.amount_minor)
    assert {note.id: note.amount_minor for note in rows.credit_notes} == dict(lines)
    taxes = summed(rows.credit_note_lines, lambda share: share.credit_note_id, lambda share: share.tax_minor)
    assert {note.id: note.tax_minor for note in rows.credit_notes} == dict(taxes)
    _check_taxes(rows)
    signs = {"credit_note": 1, "tax_credit": 1, "deduction_reversed": -1, "tax_deduction_reversed": -1}
    booked = summed(
        [entry for entry in rows.entries if entry.type in signs],
        lambda entry: (entry.account_id, entry.invoice_id),
        lambda entry: signs[entry.type] * entry.amount_minor,
    )
    noted = summed(
        rows.credit_notes,
        lambda note: (note.account_id, uuid.UUID(str(note.invoice_id))),
        lambda note: note.amount_minor,
    )
    assert dict(booked) == dict(noted)


def _check_taxes(rows: Rows) -> None:
    """Each invoice's tax is its rates', to half a unit, and what is owed to the authority is what wasn't given back."""
    for invoice in rows.invoices:
        of_invoice = [line for line in rows.lines if line.invoice_id == invoice.id and line.tax_rate_id]
        for rate, lines in grouped(of_invoice, lambda line: line.tax_rate).items():
            assert rate is not None
            amount, part = sum(line.amount_minor for line in lines), Fraction(rate.percent) / 100
            exact = amount * part / (1 + part) if rate.inclusive else amount * part
            assert abs(sum(line.tax_minor for line in lines) - exact) <= Fraction(1, 2)
    signs = {"tax": 1, "tax_deduction": -1}
    booked = summed(
        [entry for entry in rows.entries if entry.type in signs],
        lambda entry: entry.line_id,
        lambda entry: signs[entry.type] * entry.amount_minor,
    )
    assert dict(booked) == {line.id: line.tax_minor for line in rows.lines if line.tax_minor}
    given_back = summed(rows.credit_note_lines, lambda share: share.line_id, lambda share: share.tax_minor)
    for line in rows.lines:
        if line.credited_minor == line.total_minor:
            assert given_back[line.id] == line.tax_minor
    taxes = sum(line.tax_minor - given_back[line.id] for line in rows.lines)
    assert sum(books.get("tax_payable", 0) for books in book_totals().values()) == -taxes


def _check_payments(rows: Rows) -> None:
    """Each that succeeded has its entry and each entry its payment; attempts at an invoice follow one another."""
    booked = {
        entry.payment_id: (entry.account_id, entry.invoice_id, entry.amount_minor)
        for entry in rows.entries
        if entry.type == "payment"
    }
    assert booked == {
        payment.id: (payment.account_id, payment.invoice_id, payment.amount_minor)
        for payment in rows.payments
        if payment.status == "SUCCEEDED"
    }
    at_the_gateway = grouped(
        # What a person books late was collected by the attempt that it is for.
        [payment for payment in rows.payments if payment.gateway != OFFLINE and payment.late_for_id is None],
        lambda payment: payment.invoice_id,
    )
    for attempts in at_the_gateway.values():
        for earlier, later in itertools.pairwise(attempts):
            assert earlier.completed_at is not None
            assert earlier.completed_at <= later.submitted_at
    assert not {"not_outstanding", "not_reserved"} & {payment.decline_code for payment in rows.payments}
    refunded = summed(
        [refund for refund in rows.refunds if refund.status == "SUCCEEDED"],
        lambda refund: refund.payment_id,
        lambda refund: refund.amount_minor,
    )
    reserved = summed(
        [refund for refund in rows.refunds if refund.status != "FAILED"],
        lambda refund: refund.payment_id,
        lambda refund: refund.amount_minor,
    )
    for payment in rows.payments:
        assert payment.refunded_minor == refunded[payment.id]
        assert reserved[payment.id] <= (payment.amount_minor if payment.status == "SUCCEEDED" else 0)
        # Money that was taken back isn't sent back as well.
        taken_back = rows.taken_back.get(payment.id)
        assert taken_back is None or taken_back == payment.amount_minor - reserved[payment.id]


def _check_refunds(rows: Rows) -> None:
    """Each that succeeded has its entry; from the payment, a credit note of its amount, and from the balance, none."""
    booked = {
        entry.refund_id: (entry.account_id, entry.amount_minor) for entry in rows.entries if entry.type == "refund"
    }
    succeeded = [refund for refund in rows.refunds if refund.status == "SUCCEEDED"]
    assert booked == {refund.id: (refund.account_id, refund.amount_minor) for refund in succeeded}
    noted = {note.refund_id: note.to_refund_minor for note in rows.credit_notes if note.refund_id}
    assert noted == {refund.id: refund.amount_minor for refund in succeeded if refund.source == "payment"}
    assert "not_reserved" not in {refund.failure_code for refund in rows.refunds}


def _check_balances(rows: Rows) -> None:
    """Books sum to zero; an account owes what is outstanding less its credit; its credit is what came and what went."""
    totals = book_totals()
    assert [sum(books.values()) for books in totals.values()] == [0] * len(totals)
    owed = balances(account_ids=[account.id for account in rows.accounts])
    by_account = {account.id: 0 for account in rows.accounts}
    outstanding, moved, paying_out = Counter(by_account), Counter(by_account), Counter(by_account)
    for invoice in rows.invoices:
        outstanding[invoice.account_id] += invoice.outstanding_minor
        moved[invoice.account_id] -= invoice.balance_applied_minor
    for note in rows.credit_notes:
        moved[note.account_id] += note.to_balance_minor
    for payment in rows.payments:
        moved[payment.account_id] += rows.credit_of(payment)
    for refund in rows.refunds:
        if refund.source == "balance" and refund.status != "FAILED":
            moved[refund.account_id] -= refund.amount_minor
            paying_out[refund.account_id] += refund.amount_minor if refund.status != "SUCCEEDED" else 0
    for entry in rows.entries:
        moved[entry.account_id] += entry.amount_minor * ((entry.debit == "credits") - (entry.credit == "credits"))
        # A debt that was carried forward, and given up on closing.
        given_up = entry.type == "write_off" and entry.invoice_id is None
        moved[entry.account_id] += entry.amount_minor if given_up else 0
        moved[entry.account_id] += entry.amount_minor if entry.type == "refund_reversed" else 0
    for account in rows.accounts:
        assert account.credit_balance_minor == moved[account.id]
        assert account.credit_balance_minor == outstanding[account.id] - owed[account.id] - paying_out[account.id]


def _check_histories(rows: Rows) -> None:
    """Each account's history is a chain of allowed changes that ends in its status."""
    last = {account.id: "" for account in rows.accounts}
    for change in AccountChange.objects.order_by("id"):
        assert change.reason
        assert change.author
        if "status" in change.after:
            assert change.before.get("status", "") == last[change.account_id]
            assert change.after["status"] in changes("account")[last[change.account_id]] | {last[change.account_id]}
            last[change.account_id] = change.after["status"]
    assert last == {account.id: account.status for account in rows.accounts}


def _check_statuses(rows: Rows) -> None:
    for account in rows.accounts:
        invoices = rows.invoices_by_account.get(account.id, [])
        is_open = [invoice for invoice in invoices if invoice.status == "OPEN"]
        declined = [invoice for invoice in is_open if invoice.declined_on]
        sent = [invoice for invoice in is_open if invoice.collection_method == "send_invoice"]
        if account.status == "INACTIVE":
            assert account.inactive_reason in {"closed", "paused", "unpaid"}
        elif declined:
            assert account.status == "PAST_DUE"
        elif account.status == "PAST_DUE":
            assert sent
        if account.status == "PENDING":
            assert not [invoice for invoice in invoices if invoice.status == "PAID"]
        # What the customer has with us isn't left lying while an invoice waits for money.
        if any(not invoice.in_flight for invoice in is_open):
            assert account.credit_balance_minor <= 0


def _check_dunning(rows: Rows) -> None:
    """While something declined is open, a step is ahead or at the gateway, or all were taken; and only then."""
    sent = {invoice.account_id for invoice in rows.invoices if not _is_automatic(invoice)}
    # An INACTIVE account isn't dunned anew for what it owes again.
    owing_again = {
        entry.account_id for entry in rows.entries if entry.type == "reversal" and entry.credit == "bad_debt"
    }
    stepping = {
        payment.account_id
        for payment in rows.payments
        if payment.cause == "dunning" and payment.status in Payment.IN_FLIGHT
    }
    for account in rows.accounts:
        declined = [
            invoice
            for invoice in rows.invoices_by_account.get(account.id, [])
            if invoice.status == "OPEN" and invoice.declined_on
        ]
        if not declined:
            assert (account.dunning_steps, account.dunning_on) == (0, None)
            continue
        steps = len(settings.DUNNING_DAYS)
        assert account.dunning_steps <= steps
        if account.dunning_on is None and not any(invoice.in_flight for invoice in declined):
            assert account.status == "INACTIVE"
            assert account.dunning_steps == steps or (account.id in owing_again and account.dunning_steps == 0)
        if account.inactive_reason == "unpaid" and account.id not in sent:
            # Never before the last step has failed.
            assert account.dunning_on is None
            assert account.id not in stepping


def _is_automatic(invoice: Invoice) -> bool:
    return invoice.collection_method == "automatic"


def _check_nothing_is_forgotten(rows: Rows) -> None:
    """What is to be collected is at the gateway, or is dunned, or a person knows of it."""
    for_a_person = {payment.invoice_id for payment in rows.payments if payment.decline_code in OUR_FAULT}
    for_a_person |= {
        entry.invoice_id
        for entry in rows.entries
        if entry.type in {"payment_reversed", "reversal"} and entry.invoice_id
    }
    for invoice in rows.invoices:
        if invoice.status == "OPEN" and _is_automatic(invoice):
            assert invoice.in_flight or invoice.declined_on or invoice.id in for_a_person


def assert_nothing_was_missed(*, as_of: datetime.date) -> None:
    """Every period that the textbook says was due by then has its row, but where an account is closed or parked; and
    none has that starts when it is to be closed or paused, or later, nor on the day on which a period waits to be cut.
    """
    accounts = list(Account.objects.exclude(status="INACTIVE"))
    terms = terms_of([account.id for account in accounts])
    for account in accounts:
        rows = account.rebillings.exclude(reason__in=[SkipReason.ACCOUNT_INACTIVE, SkipReason.RUN_CANCELLED])
        if rows.filter(status="PARKED").exists():
            continue
        interval = terms[account.id].in_force(as_of).interval
        stops_on = account.billing_stops_on
        until = as_of if stops_on is None else min(as_of, stops_on - datetime.timedelta(days=1))
        if cut := terms[account.id].cut:
            until = min(until, cut.effective_from - datetime.timedelta(days=1))
        starts = itertools.takewhile(lambda day: day <= as_of, oracle_starts(account.anchor_date, interval))
        due = [day for day in starts if account.first_rebilling_date <= day <= until]
        found: Any = rows.filter(period_start__gte=account.first_rebilling_date)
        assert sorted(set(found.values_list("period_start", flat=True))) == due
        assert not found.filter(status="DUE").exists()
        assert account.rebilling_date > until
