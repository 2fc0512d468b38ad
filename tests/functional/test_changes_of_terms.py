"""Histories of changes within a period, through the database: each preview is what is then billed, and in the end each
day was billed at the price of its day.
"""

import datetime
import itertools
import os
from fractions import Fraction
from typing import Any

from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Account
from invoices.models import CreditNote, Invoice
from payments.models import Payment
from rebilling.books import discrepancies
from rebilling.models import Proration, Rebilling
from subscriptions.agreed_terms import TermsChanges, UnableToChangeTerms
from subscriptions.terms_changes import TermsChange, change_terms
from tests.builders import a_plan, an_account, at, billed
from tests.support.databases import rolled_back
from tests.support.payments import collected

HISTORIES = int(os.environ.get("TERM_HISTORIES", "100"))
"""`make soak` plays more of them."""
STARTS = st.sampled_from(
    [datetime.date(2026, 1, 1), datetime.date(2026, 1, 31), datetime.date(2024, 2, 29), datetime.date(2027, 2, 28)]
)
INTERVALS = st.sampled_from([("day", 1), ("day", 10), ("week", 1), ("month", 1), ("month", 3), ("year", 1)])
PRICES = st.sampled_from([0, 1, 60, 333, 1000, 1999, 99_999])
CHANGES = st.lists(st.tuples(st.integers(0, 999), PRICES, st.integers(1, 3)), min_size=1, max_size=4)


def amounts_of(change: TermsChange) -> Any:
    """What the change bills, without the ids that a rolled back one loses."""
    if change.billed is None:
        return None
    row = change.billed.proration
    notes = [(note.invoice_id, note.amount_minor, note.to_balance_minor) for note in change.billed.credit_notes]
    return row.credit_minor, row.charge_minor, [line[1:] for line in change.billed.lines], notes


def net_billed(account: Account) -> int:
    """What the account's invoices come to, less their credit notes."""
    totals = Invoice.objects.filter(account=account).values_list("total_minor", flat=True)
    return sum(totals) - sum(CreditNote.objects.filter(account=account).values_list("amount_minor", flat=True))


def play(start: datetime.date, interval: tuple[str, int], first: int, changes: list[tuple[int, int, int]]) -> None:
    unit, count = interval
    plan = a_plan(unit_amount_minor=first, interval_unit=unit, interval_count=count)
    account = an_account(plan=plan, today=start)
    billed(as_of=start)
    period = Rebilling.objects.get(account=account)
    length = (period.period_end - start).days
    prices, minutes = [(start, first)], itertools.count(1)
    for part, unit_amount_minor, quantity in sorted(changes, key=lambda change: change[0]):
        day = start + datetime.timedelta(days=length * part // 1000)
        signed: dict[str, Any] = {"reason": "asked", "author": "ann", "today": day}
        signed["now"] = at(day) + datetime.timedelta(minutes=next(minutes))
        wanted = TermsChanges(unit_amount_minor=unit_amount_minor, quantity=quantity)
        before = net_billed(account)
        try:
            preview = change_terms(account_id=account.id, changes=wanted, dry_run=True, **signed)
        except UnableToChangeTerms:
            continue  # They are its terms already.
        assert net_billed(account) == before
        change = change_terms(account_id=account.id, changes=wanted, **signed)
        assert amounts_of(preview) == amounts_of(change)
        if submitted := Payment.objects.filter(account=account, status="SUBMITTED").first():
            collected(submitted.id, day=day)
        prices.append((day, unit_amount_minor * quantity))
    ends = [day for day, _ in prices[1:]] + [period.period_end]
    weighted = sum(price * (end - day).days for (day, price), end in zip(prices, ends, strict=True))
    assert abs(Fraction(weighted, length) - net_billed(account)) <= Fraction(1, 2)
    assert Proration.objects.filter(rebilling=period).count() == len(prices) - 1
    assert discrepancies(accounts=[account.id]) == []


@rolled_back
@settings(
    max_examples=HISTORIES,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(start=STARTS, interval=INTERVALS, first=PRICES, changes=CHANGES)
def test_each_preview_is_what_is_billed_and_each_day_costs_its_price(
    start: datetime.date, interval: tuple[str, int], first: int, changes: list[tuple[int, int, int]]
) -> None:
    with transaction.atomic():
        play(start, interval, first, changes)
        transaction.set_rollback(True)
