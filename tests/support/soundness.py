"""What must hold of all rows at every moment, whatever happened in whatever order. Derived anew, by other ways.

That states change as `docs/states.md` says, and in no other way, the test database holds (`state_changes.py`).
"""

import datetime
import itertools
import uuid
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from accounts.models import Account, StatusChange
from ledger.balances import balances, book_totals
from ledger.models import Entry, EntryType
from payments.models import OFFLINE, Payment, Refund
from rebilling.models import Rebilling, SkipReason
from tests.support.states_page import changes
from tests.unit.accounts.calendar_oracle import oracle_starts

CHARGED = {"CHARGED", "PAID", "UNPAID", "WRITTEN_OFF", "VOIDED"}
OWED = {"CHARGED", "UNPAID"}
_FIELDS = Entry._meta.concrete_fields


@dataclass
class Soundness:
    """Looks at every row, and remembers what it saw. `restored` are accounts that had a charge's reversal reversed."""

    restored: set[uuid.UUID] = field(default_factory=set)
    _entries: dict[uuid.UUID, tuple[object, ...]] = field(default_factory=dict)
    _prices: dict[uuid.UUID, tuple[int, int]] = field(default_factory=dict)

    def check(self) -> None:
        accounts = list(Account.objects.order_by("id"))
        rows = list(Rebilling.objects.order_by("account_id", "period_start", "id"))
        entries = list(Entry.objects.order_by("id"))
        payments = list(Payment.objects.order_by("id"))
        by_account: dict[uuid.UUID, list[Rebilling]] = defaultdict(list)
        for row in rows:
            by_account[row.account_id].append(row)
        self._check_nothing_was_rewritten(entries)
        self._check_prices_stay(rows)
        _check_charges(rows, entries)
        refunds = list(Refund.objects.order_by("id"))
        _check_payments(rows, entries, payments, refunds)
        _check_refunds(entries, payments, refunds)
        _check_write_offs(rows, entries)
        _check_histories(accounts)
        for account in accounts:
            _check_dates(account, by_account[account.id])
            _check_status(account, by_account[account.id])
            if account.id not in self.restored:
                _check_no_day_is_charged_twice(by_account[account.id])
        _check_balances(accounts, by_account, entries, payments, refunds)

    def _check_nothing_was_rewritten(self, entries: Collection[Entry]) -> None:
        now = {entry.id: tuple(getattr(entry, field.attname) for field in _FIELDS) for entry in entries}
        assert all(now.get(id_) == before for id_, before in self._entries.items())
        self._entries = now

    def _check_prices_stay(self, rows: Collection[Rebilling]) -> None:
        """What a period costs is fixed when it is found due: checked, approved and charged is one amount."""
        now = {row.id: (row.quantity, row.amount_minor) for row in rows}
        assert all(now.get(id_) == before for id_, before in self._prices.items())
        self._prices = now


def _check_charges(rows: Collection[Rebilling], entries: Collection[Entry]) -> None:
    """Each period is charged at most once, and the ledger's charges are those of the rebillings, one by one."""
    charged = [
        (row.charge_id, row.account_id, row.period_start, row.period_end, row.amount_minor)
        for row in rows
        if row.status in CHARGED and row.amount_minor
    ]
    charges = [
        (entry.id, entry.account_id, entry.period_start, entry.period_end, entry.amount_minor)
        for entry in entries
        if entry.type == EntryType.CHARGE
    ]
    assert sorted(charges, key=str) == sorted(charged, key=str)
    assert len({(account_id, start) for _, account_id, start, *_ in charges}) == len(charges)


def _check_payments(
    rows: Collection[Rebilling],
    entries: Collection[Entry],
    payments: Collection[Payment],
    refunds: Collection[Refund],
) -> None:
    """The ledger's payments are those that succeeded. Each counts towards its own charge, less what was sent back."""
    succeeded = {payment.id: payment.amount_minor for payment in payments if payment.status == "SUCCEEDED"}
    posted = {entry.payment_id: entry.amount_minor for entry in entries if entry.type == EntryType.PAYMENT}
    assert posted == succeeded
    paid: dict[uuid.UUID | None, int] = defaultdict(int)
    for payment in payments:
        paid[payment.charge_id] += succeeded.get(payment.id, 0) - _sent_back(refunds).get(payment.id, 0)
    in_flight = {payment.charge_id for payment in payments if payment.status in Payment.IN_FLIGHT}
    for row in rows:
        # A charge waits for its first payment's outcome and no longer; while it is unpaid, one may be in flight.
        assert row.status != "CHARGED" or row.charge_id in in_flight
        assert row.charge_id not in in_flight or row.status in OWED
        assert row.paid_minor == (paid[row.charge_id] if row.charge_id else 0)
        assert 0 <= row.credit_minor + row.paid_minor <= row.amount_minor
        if row.status == "PAID":
            assert row.outstanding_minor == 0
    declined = {payment.charge_id for payment in payments if payment.status == "DECLINED"}
    for row in rows:
        # What is unpaid is tried again, or is being tried, or was declined and its retries are exhausted.
        assert row.retry_on is None or row.status == "UNPAID"
        if row.status == "UNPAID" and row.retry_on is None:
            assert row.charge_id in in_flight or row.charge_id in declined
    # A further attempt is made when the one before it has failed, or did not cover the charge; never beside it.
    for attempts in _by_charge(payments).values():
        for earlier, later in itertools.pairwise(attempts):
            assert earlier.completed_at is not None
            assert earlier.completed_at <= later.submitted_at
    # Money received offline is for no charge.
    assert all((payment.charge_id is None) == (payment.gateway == OFFLINE) for payment in payments)


def _sent_back(refunds: Collection[Refund]) -> dict[uuid.UUID, int]:
    """What was sent back, by payment."""
    sent: dict[uuid.UUID, int] = defaultdict(int)
    for refund in refunds:
        sent[refund.payment_id] += refund.amount_minor if refund.status == "SUCCEEDED" else 0
    return sent


def _check_refunds(entries: Collection[Entry], payments: Collection[Payment], refunds: Collection[Refund]) -> None:
    """The ledger's refunds are those that succeeded, with at most as much credit; no payment is refunded beyond it."""
    booked = {entry.idempotency_key: entry for entry in entries}
    posted = {
        (entry.idempotency_key, entry.payment_id, entry.amount_minor)
        for entry in entries
        if entry.type == EntryType.REFUND
    }
    succeeded = [refund for refund in refunds if refund.status == "SUCCEEDED"]
    assert posted == {(f"refund:{refund.id}", refund.payment_id, refund.amount_minor) for refund in succeeded}
    credits = {key for key in booked if key.startswith("refund_credit:")}
    assert credits <= {f"refund_credit:{refund.id}" for refund in succeeded}
    for refund in succeeded:
        credit = booked.get(f"refund_credit:{refund.id}")
        assert credit is None or credit.amount_minor <= refund.amount_minor
    reserved: dict[uuid.UUID, int] = defaultdict(int)
    for refund in refunds:
        reserved[refund.payment_id] += refund.amount_minor if refund.status != "FAILED" else 0
    for payment in payments:
        assert reserved[payment.id] <= (payment.amount_minor if payment.status == "SUCCEEDED" else 0)


def _by_charge(payments: Collection[Payment]) -> dict[uuid.UUID, list[Payment]]:
    """The attempts at each charge, in the order in which they were submitted."""
    attempts: dict[uuid.UUID, list[Payment]] = defaultdict(list)
    for payment in payments:
        if payment.charge_id:
            attempts[payment.charge_id].append(payment)
    return attempts


def _check_write_offs(rows: Collection[Rebilling], entries: Collection[Entry]) -> None:
    """Of each period, what stands as bad debt is what was given up while it is WRITTEN_OFF, and else nothing."""
    by_id = {entry.id: entry for entry in entries}
    given_up: dict[tuple[uuid.UUID, datetime.date | None], int] = defaultdict(int)
    for entry in entries:
        first = entry
        while first.reverses_id:
            first = by_id[first.reverses_id]
        if first.type == EntryType.WRITE_OFF:
            moved = (entry.debit == "bad_debt") - (entry.credit == "bad_debt")
            given_up[first.account_id, first.period_start] += entry.amount_minor * moved
    expected = {
        (row.account_id, row.period_start): row.outstanding_minor for row in rows if row.status == "WRITTEN_OFF"
    }
    assert {period: amount for period, amount in given_up.items() if amount} == expected


def _check_histories(accounts: Collection[Account]) -> None:
    """Each account's history is a chain of allowed changes that ends in its status."""
    last = {account.id: "" for account in accounts}
    for change in StatusChange.objects.order_by("id"):
        assert change.from_status == last[change.account_id]
        assert change.to_status in changes("account")[change.from_status]
        assert change.reason
        assert change.author
        last[change.account_id] = change.to_status
    assert last == {account.id: account.status for account in accounts}


def _check_dates(account: Account, rows: Collection[Rebilling]) -> None:
    """The rebilling date is where what was charged, or skipped by a person, ends."""
    done = [
        row.period_end
        for row in rows
        if row.period_start >= account.first_rebilling_date
        and (row.status in CHARGED or row.reason == SkipReason.BY_PERSON)
    ]
    assert account.rebilling_date == max(done, default=account.first_rebilling_date)


def _check_status(account: Account, rows: Collection[Rebilling]) -> None:
    states = {row.status for row in rows}
    if account.status == "INACTIVE":
        assert account.inactive_reason in {"closed", "unpaid"}
        assert not states & {"DUE", "PARKED"}
        return
    assert (account.status == "PAST_DUE") == ("UNPAID" in states)
    if account.status == "PENDING":
        assert "PAID" not in states


def _check_no_day_is_charged_twice(rows: Collection[Rebilling]) -> None:
    live = [row for row in rows if row.status in CHARGED - {"VOIDED"}]
    for earlier, later in itertools.pairwise(live):
        assert earlier.period_end <= later.period_start


def _check_balances(
    accounts: Collection[Account],
    by_account: dict[uuid.UUID, list[Rebilling]],
    entries: Collection[Entry],
    payments: Collection[Payment],
    refunds: Collection[Refund],
) -> None:
    """Books sum to zero. What an account owes is what its open charges ask for, less its free credit."""
    totals = book_totals()
    assert [sum(books.values()) for books in totals.values()] == [0] * len(totals)
    owed = balances(account_ids=[account.id for account in accounts])
    in_flight = {payment.account_id for payment in payments if payment.status in Payment.IN_FLIGHT}
    credited: dict[uuid.UUID, int] = defaultdict(int)
    for payment in payments:
        kept = payment.amount_minor - _sent_back(refunds).get(payment.id, 0)
        credited[payment.account_id] += kept if payment.gateway == OFFLINE else 0
    accounts_of = {payment.id: payment.account_id for payment in payments}
    reserved: dict[uuid.UUID, int] = defaultdict(int)
    voided = {row.charge_id for rows in by_account.values() for row in rows if row.status == "VOIDED"}
    of_voided = {payment.id for payment in payments if payment.charge_id in voided}
    for refund in refunds:
        if refund.payment_id in of_voided and refund.status in Refund.IN_FLIGHT:
            reserved[accounts_of[refund.payment_id]] += refund.amount_minor
    for entry in entries:
        credited[entry.account_id] += entry.amount_minor * ((entry.debit == "credits") - (entry.credit == "credits"))
    for account in accounts:
        rows = by_account[account.id]
        outstanding = sum(row.outstanding_minor for row in rows if row.status in OWED)
        # Credit granted, money received offline, and what was paid for charges since reversed; less what charges have
        # taken of it.
        free = credited[account.id] + sum(row.paid_minor for row in rows if row.status == "VOIDED")
        free -= sum(row.credit_minor for row in rows)
        assert owed[account.id] == outstanding - free
        if account.id not in in_flight:
            assert free >= 0
            # What is being sent back of reversed charges is kept for that.
            assert free <= reserved[account.id] or not any(row.status == "UNPAID" for row in rows)


def assert_nothing_was_missed(*, as_of: datetime.date) -> None:
    """Every period that the textbook says was due by then has its row, but where an account is closed or parked."""
    for account in Account.objects.exclude(status="INACTIVE").select_related("plan"):
        rows = account.rebillings.exclude(reason__in=[SkipReason.ACCOUNT_INACTIVE, SkipReason.RUN_CANCELLED])
        if rows.filter(status="PARKED").exists():
            continue
        starts = itertools.takewhile(
            lambda day: day <= as_of, oracle_starts(account.anchor_date, account.plan.interval)
        )
        due = [day for day in starts if day >= account.first_rebilling_date]
        found = rows.filter(period_start__gte=account.first_rebilling_date).order_by("period_start")
        assert list(found.values_list("period_start", flat=True)) == due
        assert not found.filter(status="DUE").exists()
        assert account.rebilling_date > as_of
