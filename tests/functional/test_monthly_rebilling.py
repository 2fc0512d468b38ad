"""Rebilling by use: accounts opened, days passing, sweeps and deliveries."""

import datetime

from invoices.models import Invoice
from ledger.balances import balance, book_totals
from ledger.models import Entry
from payments.models import Payment
from rebilling.models import Rebilling
from rebilling.reconciliation.summary import reconciliation_of
from tests.builders import QueueInHand, a_plan, an_account, at, billed, delivered, statuses_of, swept
from tests.support.databases import rolled_back

JAN_31 = datetime.date(2026, 1, 31)


@rolled_back
class TestMonthlyRebilling:
    def test_charges_the_first_period_and_moves_the_rebilling_date_on(self) -> None:
        account = an_account(today=JAN_31)
        run = billed(as_of=JAN_31)
        account.refresh_from_db()
        assert account.rebilling_date == datetime.date(2026, 2, 28)
        assert account.status == "ACTIVE"
        entries = list(Entry.objects.order_by("id").values_list("type", "amount_minor", "effective_on"))
        assert entries == [("charge", 1999, JAN_31), ("payment", 1999, JAN_31)]
        assert balance(account_id=account.id) == 0
        found = reconciliation_of(run=run, now=at(JAN_31))
        assert (found.due.periods, found.charged.periods, found.charged.amount_minor) == (1, 1, {"USD": 1999})
        assert found.payments == {"submitted": 0, "succeeded": 1, "declined": 0, "unknown": 0}
        assert found.clean

    def test_bills_a_month_end_anchor_from_the_anchor(self) -> None:
        account = an_account(today=JAN_31)
        for month in range(1, 7):
            billed(as_of=datetime.date(2026, month, 1) + datetime.timedelta(days=30))
        days = [day.isoformat() for day, _ in statuses_of(account)]
        assert days == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30"]

    def test_three_missed_days_are_caught_up_by_one_sweep(self) -> None:
        account = an_account(plan=a_plan(interval_unit="day", unit_amount_minor=100), today=JAN_31)
        billed(as_of=JAN_31)
        billed(as_of=JAN_31 + datetime.timedelta(days=3))
        assert [status for _, status in statuses_of(account)] == ["CHARGED"] * 4
        assert Entry.objects.filter(type="charge").count() == 4
        assert list(Invoice.objects.order_by("id").values_list("status", "total_minor")) == [
            ("PAID", 100),
            ("PAID", 300),
        ]
        assert list(Payment.objects.order_by("id").values_list("amount_minor", flat=True)) == [100, 300]
        assert len(set(Entry.objects.values_list("idempotency_key", flat=True))) == 6

    def test_a_message_delivered_ten_times_charges_once(self) -> None:
        account = an_account(today=JAN_31)
        queue = QueueInHand()
        swept(as_of=JAN_31, queue=queue)
        assert delivered(bodies=queue.take() * 10, today=JAN_31) == []
        assert statuses_of(account) == [(JAN_31, "CHARGED")]
        assert Payment.objects.count() == 1
        assert Entry.objects.count() == 2

    def test_a_sweep_run_twice_charges_once_and_counts_once(self) -> None:
        an_account(today=JAN_31)
        queue = QueueInHand()
        first = swept(as_of=JAN_31, queue=queue)
        second = swept(as_of=JAN_31, queue=queue)
        assert delivered(bodies=queue.take(), today=JAN_31) == []
        assert Rebilling.objects.count() == 1
        assert Entry.objects.filter(type="charge").count() == 1
        assert reconciliation_of(run=first, now=at(JAN_31)).due.periods == 1
        assert reconciliation_of(run=second, now=at(JAN_31)).due.periods == 0

    def test_the_books_sum_to_zero(self) -> None:
        an_account(today=JAN_31)
        an_account(plan=a_plan(currency="JPY", unit_amount_minor=500), today=JAN_31)
        billed(as_of=JAN_31)
        totals = book_totals()
        assert totals["USD"]["cash"] == 1999
        assert totals["JPY"]["revenue"] == -500
        assert [sum(books.values()) for books in totals.values()] == [0, 0]
