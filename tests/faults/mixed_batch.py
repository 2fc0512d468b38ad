"""A batch with every kind of account that a sweep finds due, and how each should end, whatever happens meanwhile."""

import datetime
from collections import Counter
from typing import Any

from django.db.models import F
from django.utils import timezone

from accounts.billing_day import billing_day
from accounts.models import Account
from invoices.credits import grant_credit
from invoices.models import Invoice
from ledger.balances import balances, book_totals
from ledger.models import Entry
from payments.messages.queue import Queue
from payments.models import Payment
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.summary import Tally, reconciliation_of
from rebilling.sweep import sweep
from subscriptions.lifecycle import close_account
from tests.builders import a_plan, an_account
from tests.support.workers.provider import DECLINES

PAYMENTS = 7
"""Three plain ones, one to be declined, the rest of one that has credit, one that is behind, one in yen."""
INVOICES = PAYMENTS + 2
"""And one that credit pays for, and a free one."""
CHARGES = INVOICES - 1 + 2
"""Entries: the free one has none, and the one that is behind has three."""
PERIODS = INVOICES + 2
CREDITS = 2


def sweep_a_mixed_batch(*, queue: Queue) -> Run:
    """Opens the accounts, and sweeps; between the sweep and its delivery one closes, and one's date moves by hand."""
    now = timezone.now()
    day = billing_day(now)
    weekly = a_plan(interval_unit="week", unit_amount_minor=1000)
    daily = a_plan(interval_unit="day", unit_amount_minor=100)
    for number in (1, 2, 3):
        an_account(plan=weekly, today=day, name=f"plain {number}")
    an_account(plan=weekly, today=day, name="declined", payment_customer=DECLINES)
    for name, amount in (("partly credited", 400), ("wholly credited", 1500)):
        account = an_account(plan=weekly, today=day, name=name)
        grant_credit(account_id=account.id, amount_minor=amount, reason="sorry", author="ann", today=day, now=now)
    an_account(plan=weekly, today=day, name="free", unit_amount_minor=0)
    behind = day - datetime.timedelta(days=2)
    an_account(plan=daily, today=day, name="behind", anchor_date=behind, rebilling_date=behind)
    an_account(plan=a_plan(interval_unit="week", currency="JPY", unit_amount_minor=500), today=day, name="yen")
    closed = an_account(plan=weekly, today=day, name="closed")
    an_account(plan=weekly, today=day, name="moved")
    run = sweep(as_of=day, queue=queue, now=now)
    close_account(account_id=closed.id, reason="left", author="ann", today=billing_day(now), now=now)
    Account.objects.filter(name="moved").update(rebilling_date=F("rebilling_date") + 7)
    return run


CHARGED = ("CHARGED", "")
ENDS: dict[str, tuple[Any, ...]] = {
    # status, days to the rebilling date, rebillings, invoices, entries, payments, statuses it had, what it owes
    **{
        f"plain {number}": (
            "ACTIVE",
            7,
            [CHARGED],
            [("PAID", 0, 1000)],
            [("charge", 1000), ("payment", 1000)],
            [("SUCCEEDED", 1000)],
            ["PENDING", "ACTIVE"],
            0,
        )
        for number in (1, 2, 3)
    },
    "declined": (
        "PAST_DUE",
        7,
        [CHARGED],
        [("OPEN", 0, 0)],
        [("charge", 1000)],
        [("DECLINED", 1000)],
        ["PENDING", "PAST_DUE"],
        1000,
    ),
    "partly credited": (
        "ACTIVE",
        7,
        [CHARGED],
        [("PAID", 400, 600)],
        [("charge", 1000), ("credit", 400), ("payment", 600)],
        [("SUCCEEDED", 600)],
        ["PENDING", "ACTIVE"],
        0,
    ),
    "wholly credited": (
        "ACTIVE",
        7,
        [CHARGED],
        [("PAID", 1000, 0)],
        [("charge", 1000), ("credit", 1500)],
        [],
        ["PENDING", "ACTIVE"],
        -500,
    ),
    "free": ("ACTIVE", 7, [CHARGED], [("PAID", 0, 0)], [], [], ["ACTIVE"], 0),
    "behind": (
        "ACTIVE",
        1,
        [CHARGED] * 3,
        [("PAID", 0, 300)],
        [("charge", 100)] * 3 + [("payment", 300)],
        [("SUCCEEDED", 300)],
        ["PENDING", "ACTIVE"],
        0,
    ),
    "yen": (
        "ACTIVE",
        7,
        [CHARGED],
        [("PAID", 0, 500)],
        [("charge", 500), ("payment", 500)],
        [("SUCCEEDED", 500)],
        ["PENDING", "ACTIVE"],
        0,
    ),
    "closed": ("INACTIVE", 0, [("SKIPPED", "account_inactive")], [], [], [], ["PENDING", "INACTIVE"], 0),
    "moved": ("PENDING", 7, [("PARKED", "not_the_next_period")], [], [], [], ["PENDING"], 0),
}


def ends(run: Run) -> dict[str, tuple[Any, ...]]:
    """What became of each account, in the form of `ENDS`."""
    accounts = Account.objects.order_by("id")
    owed = balances(account_ids=[account.id for account in accounts])
    return {
        account.name: (
            account.status,
            (account.rebilling_date - run.as_of).days,
            [*account.rebillings.order_by("period_start").values_list("status", "reason")],
            [*account.invoices.order_by("id").values_list("status", "balance_applied_minor", "paid_minor")],
            sorted(account.entries.values_list("type", "amount_minor")),
            [*account.payments.order_by("id").values_list("status", "amount_minor")],
            [change.after["status"] for change in account.changes.order_by("id")],
            owed[account.id],
        )
        for account in accounts
    }


def assert_ended_well(run: Run) -> None:
    """Every account is where it should be, and the run's reconciliation and the books say the same."""
    assert ends(run) == ENDS
    found = reconciliation_of(run=run, now=timezone.now())
    assert found.clean
    assert (found.due.periods, found.charged.periods) == (PERIODS + 2, PERIODS)
    assert found.charged.amount_minor == {"USD": 6 * 1000 + 3 * 100, "JPY": 500}
    assert found.skipped == Tally(periods=1, amount_minor={"USD": 1000}, reasons={"account_inactive": 1})
    assert found.parked == Tally(periods=1, amount_minor={"USD": 1000}, reasons={"not_the_next_period": 1})
    assert found.payments == {"submitted": 0, "succeeded": PAYMENTS - 1, "declined": 1, "unknown": 0}
    totals = book_totals()
    assert {currency: sum(books.values()) for currency, books in totals.items()} == {"USD": 0, "JPY": 0}
    assert (totals["USD"]["cash"], totals["JPY"]["cash"]) == (3000 + 600 + 300, 500)


def what_is_there() -> tuple[dict[str, int], ...]:
    """How many rebillings, invoices, entries and payments there are, by status and type."""
    return (
        Counter(Rebilling.objects.values_list("status", flat=True)),
        Counter(Invoice.objects.values_list("status", flat=True)),
        Counter(Entry.objects.values_list("type", flat=True)),
        Counter(Payment.objects.values_list("status", flat=True)),
    )
