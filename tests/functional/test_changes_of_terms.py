"""Histories of changes within a period, through the database: each preview is what is then billed, and in the end each
day was billed at the price of its day.
"""

import datetime
import itertools
import math
import os
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.account_changes import AccountChanges
from accounts.models import Account
from accounts.tax_rates import create_tax_rate
from invoices.models import PENDING, CreditNote, Invoice, Item
from payments.account_updates import update_account
from payments.models import Payment
from rebilling.books import discrepancies
from rebilling.models import Proration, Rebilling
from subscriptions.agreed_terms import TermsChanges, UnableToChangeTerms
from subscriptions.discounts import give_discount
from subscriptions.terms_changes import TermsChange, change_terms
from tests.builders import a_plan, an_account, at, billed
from tests.support.databases import rolled_back
from tests.support.payments import collected
from tests.support.signatures import undated

HISTORIES = int(os.environ.get("TERM_HISTORIES", "100"))
"""`make soak` plays more of them."""
STARTS = st.sampled_from(
    [datetime.date(2026, 1, 1), datetime.date(2026, 1, 31), datetime.date(2024, 2, 29), datetime.date(2027, 2, 28)]
)
INTERVALS = st.sampled_from([("day", 1), ("day", 10), ("week", 1), ("month", 1), ("month", 3), ("year", 1)])
PRICES = st.sampled_from([0, 1, 60, 333, 1000, 1999, 99_999])
VAT = [(Decimal("8.875"), False), (Decimal(21), False), (Decimal(19), True)]
RATES = st.integers(0, len(VAT)).map(lambda rate: [rate]) | st.lists(st.integers(0, len(VAT)), min_size=2, max_size=4)
DISCOUNTS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{}, {}, {"percent": Decimal("12.5")}, {"percent": Decimal(100)}, {"amount_minor": 150}]
)
MODES = st.sampled_from(["invoice", "invoice", "next_invoice"])
CHANGES = st.lists(st.tuples(st.integers(0, 999), PRICES, st.integers(1, 3), MODES), min_size=1, max_size=4)


def amounts_of(change: TermsChange) -> Any:
    """What the change bills, without the ids that a rolled back one loses."""
    if change.billed is None:
        return None
    row = change.billed.proration
    notes = [(note.invoice_id, note.amount_minor, note.to_balance_minor) for note in change.billed.credit_notes]
    lines = [(*line[1:], *taxes) for line, *taxes in change.billed.lines]
    return row.credit_minor, row.charge_minor, row.credit_total_minor, row.charge_total_minor, lines, notes


def net_billed(account: Account) -> int:
    """What the account's invoices come to, less their credit notes, with what waits of changes for the next one."""
    totals = Invoice.objects.filter(account=account).values_list("total_minor", flat=True)
    noted = CreditNote.objects.filter(account=account).values_list("amount_minor", flat=True)
    return sum(totals) - sum(noted) + waiting(account)


def waiting(account: Account) -> int:
    """What the items of changes that wait come to, with their taxes."""
    pending = Item.objects.filter(PENDING, account=account).values_list("proration_id", flat=True)
    rows = Proration.objects.filter(id__in=set(pending))
    return sum(row.charge_total_minor - row.credit_total_minor for row in rows)


def after_discount(price: int, discount: dict[str, Any]) -> int:
    if "amount_minor" in discount:
        return max(0, price - int(discount["amount_minor"]))
    return price - math.floor(price * Fraction(discount.get("percent", 0)) / 100 + Fraction(1, 2))


def play(
    start: datetime.date,
    interval: tuple[str, int],
    first: int,
    changes: list[tuple[int, int, int, str]],
    rates: list[int],
    discount: dict[str, Any],
) -> None:
    """The account has the first rate at the start, and another one from each change on."""
    unit, count = interval
    plan = a_plan(unit_amount_minor=first, interval_unit=unit, interval_count=count)
    vat = [create_tax_rate(name="VAT", percent=percent, inclusive=within, now=at(start)) for percent, within in VAT]
    of_changes = itertools.cycle([None, *vat][each] for each in rates)
    rate = next(of_changes)
    account = an_account(plan=plan, today=start, tax_rate=rate and rate.id)
    if discount:
        give_discount(account_id=account.id, reason="a start", author="ann", today=start, now=at(start), **discount)
    billed(as_of=start)
    period = Rebilling.objects.get(account=account)
    length = (period.period_end - start).days
    taken_off = discount if first else {}
    prices, minutes = [(start, after_discount(first, taken_off))], itertools.count(1)
    for part, unit_amount_minor, quantity, mode in sorted(changes, key=lambda change: change[0]):
        day = start + datetime.timedelta(days=length * part // 1000)
        signed: dict[str, Any] = {"reason": "asked", "author": "ann", "today": day}
        how: dict[str, Any] = {"proration": mode}
        signed["now"] = at(day) + datetime.timedelta(minutes=next(minutes))
        rate = next(of_changes)
        as_changed: AccountChanges = {"tax_rate": rate.id if rate else None}
        update_account(account_id=account.id, changes=as_changed, **undated(signed))
        wanted = TermsChanges(unit_amount_minor=unit_amount_minor, quantity=quantity)
        before = net_billed(account)
        try:
            preview = change_terms(account_id=account.id, changes=wanted, dry_run=True, **how, **signed)
        except UnableToChangeTerms:
            continue  # They are its terms already.
        assert net_billed(account) == before
        documents = Invoice.objects.count() + CreditNote.objects.count()
        change = change_terms(account_id=account.id, changes=wanted, **how, **signed)
        assert change.billed is None or change.billed.proration.waits is False or mode == "next_invoice"
        if change.billed and change.billed.proration.waits:
            assert Invoice.objects.count() + CreditNote.objects.count() == documents
        else:
            assert waiting(account) == 0
        assert amounts_of(preview) == amounts_of(change)
        if submitted := Payment.objects.filter(account=account, status="SUBMITTED").first():
            collected(submitted.id, day=day)
        prices.append((day, after_discount(unit_amount_minor * quantity, taken_off)))
    ends = [day for day, _ in prices[1:]] + [period.period_end]
    weighted = sum(price * (end - day).days for (day, price), end in zip(prices, ends, strict=True))
    rows = Proration.objects.filter(rebilling=period)
    net = period.amount_minor + sum(row.charge_minor - row.credit_minor for row in rows)
    assert abs(Fraction(weighted, length) - net) <= Fraction(1, 2)
    assert net_billed(account) >= 0
    if len(set(rates)) == 1:
        # Each invoice and each credit rounds its tax.
        percent = 0 if rate is None or rate.inclusive else Fraction(rate.percent)
        exact = Fraction(weighted, length) * (1 + Fraction(percent, 100))
        assert abs(exact - net_billed(account)) <= 1 + Fraction(len(prices), 2 if percent else 10**9)
    assert rows.count() == len(prices) - 1
    assert discrepancies(accounts=[account.id]) == []
    # The next invoice has what waits, down to zero.
    billed(as_of=period.period_end)
    assert not Item.objects.filter(PENDING, account=account, amount_minor__gt=0).exists()
    assert discrepancies(accounts=[account.id]) == []


@rolled_back
@settings(
    max_examples=HISTORIES,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(start=STARTS, interval=INTERVALS, first=PRICES, changes=CHANGES, rates=RATES, discount=DISCOUNTS)
def test_each_preview_is_what_is_billed_and_each_day_costs_its_price(
    start: datetime.date,
    interval: tuple[str, int],
    first: int,
    changes: list[tuple[int, int, int, str]],
    rates: list[int],
    discount: dict[str, Any],
) -> None:
    # A cent a day that becomes a euro is more than the volume check lets pass.
    with override_settings(VOLUME_CHECK_MULTIPLE=0), transaction.atomic():
        play(start, interval, first, changes, rates, discount)
        transaction.set_rollback(True)
