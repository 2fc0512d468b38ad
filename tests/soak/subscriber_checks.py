"""Each subscriber was billed what was agreed, document by document, and the ledger has it to the cent."""

import copy
import datetime
import uuid
from collections import Counter
from typing import TYPE_CHECKING

from accounts.billing_day import billing_day
from accounts.models import Account, Terms
from invoices.models import PENDING, CreditNote, Invoice, Item
from ledger.balances import balances
from ledger.models import Entry
from payments.models import Payment
from tests.soak.expected_bills import Bill
from tests.soak.subscribers import Subscribers

if TYPE_CHECKING:
    from localcloud.simulated_stripe.records import Records

DAY = datetime.timedelta(days=1)
MAX_LATE = 10 * DAY
"""By then every outcome is known, and a billing day that is to move no longer waits for one."""


def assert_subscribers_were_billed_what_was_agreed(
    subscribers: Subscribers, records: "Records", *, last_day: datetime.date
) -> None:
    accounts = list(subscribers.bills)
    assert not Account.objects.filter(id__in=accounts, inactive_reason="unpaid").exists()
    account_of = dict(Payment.objects.filter(account__in=accounts).values_list("id", "account_id"))
    taken: Counter[uuid.UUID] = Counter()
    for movement in records.taken:
        if account := account_of.get(uuid.UUID(movement.owner)):
            taken[account] += movement.amount
    owed = balances(account_ids=accounts)
    for account_id in accounts:
        bill = _expected(subscribers, account_id, last_day=last_day)
        _assert_documents(account_id, bill)
        _assert_ledger(account_id, bill, owed=owed[account_id], taken=taken[account_id])


def _expected(subscribers: Subscribers, account_id: uuid.UUID, *, last_day: datetime.date) -> Bill:
    """When a billing day moved, which may wait for a payment, the product says; what that costs, it doesn't."""
    bill = copy.deepcopy(subscribers.bills[account_id])
    moved = Terms.objects.filter(account=account_id, cuts_period=True, cut_at__isnull=False)
    moved_on = {billing_day(terms.cut_at): terms.effective_from for terms in moved if terms.cut_at}
    day = bill.today
    while day <= last_day:
        assert moved_on.get(day) in (None, bill.moves_on)
        assert bill.moves_on is None or day <= bill.moves_on + MAX_LATE
        bill.day_begins(day, billing_day_moves=day in moved_on)
        for agreed in subscribers.done[account_id][day]:
            agreed(bill)
        day += DAY
    return bill


def _assert_documents(account_id: uuid.UUID, bill: Bill) -> None:
    invoices = Invoice.objects.filter(account=account_id).values_list("issued_on", "total_minor", "tax_minor")
    assert sorted(invoices) == sorted((invoice.issued_on, invoice.total, invoice.tax) for invoice in bill.invoices)
    credit_notes = CreditNote.objects.filter(account=account_id).values_list("issued_on", "amount_minor", "tax_minor")
    assert sorted(credit_notes) == sorted(bill.credit_notes)
    waiting = Item.objects.filter(PENDING, account=account_id)
    assert sorted(item.amount_minor - item.invoiced_minor for item in waiting) == sorted(
        item.left for item in bill.waiting
    )


def _assert_ledger(account_id: uuid.UUID, bill: Bill, *, owed: int, taken: int) -> None:
    booked: Counter[str] = Counter()
    for entry in Entry.objects.filter(account=account_id):
        booked[entry.debit] += entry.amount_minor
        booked[entry.credit] -= entry.amount_minor
    billed = sum(invoice.total for invoice in bill.invoices)
    taxes = sum(invoice.tax for invoice in bill.invoices)
    credited = sum(amount for _, amount, _ in bill.credit_notes)
    taxes_credited = sum(tax for *_, tax in bill.credit_notes)
    expected = {
        "revenue": (credited - taxes_credited) - (billed - taxes),
        "tax_payable": taxes_credited - taxes,
        "credits": bill.credit,
        "bad_debt": bill.given_up,
        "cash": taken,
        "receivable": billed - credited - bill.credit - bill.given_up - taken,
    }
    assert {book: booked[book] for book in expected} == expected
    assert owed == expected["receivable"]
