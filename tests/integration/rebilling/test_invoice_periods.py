"""Charging: what is invoiced, what is skipped or parked, and at what cost in statements."""

import datetime
import logging
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from invoices.credits import grant_credit
from invoices.models import Invoice, InvoiceLine
from ledger.balances import balance
from ledger.models import Entry
from payments.gateways.port import Declined
from payments.models import Payment
from rebilling import invoice_periods as charging
from rebilling.messages.message import PeriodsMessage
from rebilling.models import Rebilling
from rebilling.period_decisions import decide
from rebilling.reconciliation.summary import reconciliation_of
from subscriptions.agreed_terms import TermsChanges
from subscriptions.terms_changes import change_terms
from tests.builders import (
    NOW,
    TODAY,
    QueueInHand,
    ScriptedGateway,
    a_message,
    a_plan,
    an_account,
    at,
    billed,
    delivered,
    statuses_of,
    swept,
)
from tests.support.batches import daily, deactivate
from tests.support.claims import a_claim, saved
from tests.support.databases import rolled_back
from tests.support.owing import HARD, owing, rows, state_of

DAY = datetime.timedelta(days=1)
FEB_1, MAR_1, APR_1 = (datetime.date(2026, month, 1) for month in (2, 3, 4))

pytestmark = rolled_back


def credited(account: Account, amount_minor: int) -> None:
    grant_credit(account_id=account.id, amount_minor=amount_minor, reason="sorry", author="test", today=TODAY, now=NOW)


def quantity(account: Account, quantity: int, *, on: datetime.date = TODAY) -> None:
    """From that day on, without proration."""
    signed: dict[str, Any] = {"reason": "grew", "author": "test", "today": on, "now": at(on)}
    change_terms(account_id=account.id, changes=TermsChanges(quantity=quantity), proration="none", **signed)


def lines_of(account: Account) -> list[tuple[int, str, int, int, int]]:
    """The lines of the account's only invoice."""
    (invoice,) = Invoice.objects.filter(account=account)
    lines = InvoiceLine.objects.filter(invoice=invoice).order_by("position")
    return list(lines.values_list("position", "description", "quantity", "unit_amount_minor", "amount_minor"))


def _statements_to_process(periods: int) -> int:
    plan = a_plan()
    for _ in range(periods):
        an_account(plan=plan)
    queue = QueueInHand()
    run = swept(as_of=TODAY, queue=queue)
    (body,) = queue.take()
    with CaptureQueriesContext(connection) as queries:
        assert delivered(bodies=[body]) == []
    assert run.rebillings.filter(status="CHARGED", invoice__status="PAID").count() == periods
    return len(queries)


class TestACleanBatch:
    def test_takes_as_many_statements_for_10_periods_as_for_500(self, settings: Any) -> None:
        settings.VOLUME_CHECK_MULTIPLE = 0
        ten = _statements_to_process(10)
        assert _statements_to_process(500) == ten
        assert ten < 40

    def test_submits_each_invoice_once_under_the_payments_id(self) -> None:
        account = an_account(payment_customer="cus_1", payment_method="pm_1", quantity=3)
        gateway = ScriptedGateway()
        billed(as_of=TODAY, gateway=gateway)
        payment, invoice = Payment.objects.get(), Invoice.objects.get()
        (request,) = gateway.requests
        assert request.payment_id == payment.id
        assert (request.amount_minor, request.currency) == (5997, "USD")
        assert (request.customer, request.payment_method) == ("cus_1", "pm_1")
        assert request.description == f"Invoice {account.number_prefix}-0001"
        assert (payment.account_id, payment.invoice_id, payment.cause) == (account.id, invoice.id, "invoice")
        assert payment.gateway_reference == f"taken-{payment.id}"

    def test_writes_the_period_its_line_its_entry_and_the_next_date_together(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        row, invoice, line = Rebilling.objects.get(), Invoice.objects.get(), InvoiceLine.objects.get()
        entry = Entry.objects.get(type="charge")
        assert (row.status, row.invoice_id, row.ended_on) == ("CHARGED", invoice.id, FEB_1)
        assert (line.invoice_id, line.rebilling_id, line.kind) == (invoice.id, row.id, "period")
        assert (line.period_start, line.period_end, line.amount_minor) == (TODAY, FEB_1, 1999)
        assert (entry.invoice_id, entry.line_id, entry.amount_minor) == (invoice.id, line.id, 1999)
        assert (entry.period_start, entry.period_end, entry.effective_on) == (TODAY, FEB_1, TODAY)
        assert entry.idempotency_key == f"charge:{row.id}"
        assert (invoice.issued_on, invoice.due_on, invoice.total_minor, invoice.paid_minor) == (
            TODAY,
            TODAY,
            1999,
            1999,
        )
        account.refresh_from_db()
        assert (account.status, account.rebilling_date, account.invoices_issued) == ("ACTIVE", FEB_1, 1)

    def test_a_price_of_zero_is_paid_at_once_without_entry_or_payment(self) -> None:
        account = an_account(unit_amount_minor=0)
        gateway = ScriptedGateway()
        billed(as_of=TODAY, gateway=gateway)
        assert (statuses_of(account), rows(account)) == ([(TODAY, "CHARGED")], [("PAID", 0, 0)])
        account.refresh_from_db()
        assert (account.status, account.rebilling_date) == ("ACTIVE", FEB_1)
        assert (gateway.requests, Entry.objects.count(), Payment.objects.count()) == ([], 0, 0)


class TestThePrice:
    def test_is_what_was_found_due_whatever_the_quantity_is_by_then(self) -> None:
        """What is charged is what was checked and approved; the new quantity counts from the next period."""
        account = an_account(quantity=3)
        queue = QueueInHand()
        run = swept(as_of=TODAY, queue=queue)
        quantity(account, 1000)
        assert delivered(bodies=queue.take()) == []
        entry, payment = Entry.objects.get(type="charge"), Payment.objects.get()
        assert (entry.amount_minor, payment.amount_minor) == (5997, 5997)
        plan = account.terms.earliest("id").plan.name
        assert lines_of(account) == [(1, f"{plan} x 3, 1 Jan to 31 Jan 2026", 3, 1999, 5997)]
        assert reconciliation_of(run=run, now=NOW).charged.amount_minor == {"USD": 5997}
        billed(as_of=FEB_1)
        assert Entry.objects.filter(type="charge").latest("id").amount_minor == 1_999_000

    def test_is_that_of_the_terms_in_force_on_the_periods_first_day(self) -> None:
        """The quantity changed on 10 February; January to March are billed in March."""
        account = an_account()
        quantity(account, 2, on=datetime.date(2026, 2, 10))
        gateway = ScriptedGateway()
        billed(as_of=MAR_1, gateway=gateway)
        plan = account.terms.earliest("id").plan.name
        assert lines_of(account) == [
            (1, f"{plan}, 1 Jan to 31 Jan 2026", 1, 1999, 1999),
            (2, f"{plan}, 1 Feb to 28 Feb 2026", 1, 1999, 1999),
            (3, f"{plan} x 2, 1 Mar to 31 Mar 2026", 2, 1999, 3998),
        ]
        assert [request.amount_minor for request in gateway.requests] == [7996]


class TestPeriodsDueTogether:
    def test_of_three_missed_months_are_one_invoice_with_three_lines_and_one_payment(self) -> None:
        account, gateway = an_account(), ScriptedGateway()
        billed(as_of=MAR_1, gateway=gateway)
        assert statuses_of(account) == [(day, "CHARGED") for day in (TODAY, FEB_1, MAR_1)]
        (invoice,) = Invoice.objects.all()
        assert (invoice.total_minor, invoice.paid_minor, invoice.status) == (5997, 5997, "PAID")
        assert {row.invoice_id for row in Rebilling.objects.all()} == {invoice.id}
        assert [(position, amount) for position, *_, amount in lines_of(account)] == [(1, 1999), (2, 1999), (3, 1999)]
        assert [request.amount_minor for request in gateway.requests] == [5997]
        assert list(Entry.objects.order_by("id").values_list("type", "amount_minor")) == [
            *[("charge", 1999)] * 3,
            ("payment", 5997),
        ]
        # Effective on the day on which they are written; the service period stands beside it.
        assert set(Entry.objects.values_list("effective_on", flat=True)) == {MAR_1}
        assert balance(account_id=account.id, as_of=FEB_1) == 0
        account.refresh_from_db()
        assert account.rebilling_date == APR_1

    def test_of_two_accounts_are_an_invoice_each(self) -> None:
        accounts = [daily(), daily()]
        billed(as_of=TODAY + DAY)
        found = [(invoice.account_id, invoice.total_minor) for invoice in Invoice.objects.order_by("account_id")]
        assert found == [(account.id, 200) for account in sorted(accounts, key=lambda each: each.id)]

    def test_use_the_accounts_credit_once(self) -> None:
        account = daily()
        credited(account, 250)
        billed(as_of=TODAY + 3 * DAY)
        assert rows(account) == [("PAID", 250, 150)]
        assert state_of(account) == ("ACTIVE", 0, 0)


class TestCredit:
    def test_is_used_first_and_the_gateway_is_collected_for_the_remainder(self) -> None:
        account = an_account()
        credited(account, 500)
        billed(as_of=TODAY)
        assert Payment.objects.get().amount_minor == 1499
        assert rows(account) == [("PAID", 500, 1499)]
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_that_covers_the_charge_pays_it_at_once_without_a_payment(self) -> None:
        account = an_account()
        credited(account, 5000)
        gateway = ScriptedGateway()
        billed(as_of=TODAY, gateway=gateway)
        assert (rows(account), gateway.requests) == ([("PAID", 1999, 0)], [])
        assert state_of(account) == ("ACTIVE", 0, 3001)

    def test_that_leaves_too_little_to_collect_is_overdrawn_and_brought_forward(self, settings: Any) -> None:
        settings.MIN_COLLECTED_MINOR = {"USD": 50}
        account, gateway = an_account(), ScriptedGateway()
        credited(account, 1969)
        billed(as_of=TODAY, gateway=gateway)
        assert (rows(account), gateway.requests) == ([("PAID", 1999, 0)], [])
        assert state_of(account) == ("ACTIVE", 0, -30)
        billed(as_of=FEB_1, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [2029]
        assert rows(account) == [("PAID", 1999, 0), ("PAID", -30, 2029)]
        assert state_of(account) == ("ACTIVE", 0, 0)


class TestAnUnusablePaymentMethod:
    def test_is_not_called_and_the_new_invoice_counts_as_declined(self) -> None:
        account = owing(HARD)
        account.refresh_from_db()
        assert (account.payment_method_unusable, account.dunning_steps) == (True, 0)
        gateway = ScriptedGateway()
        queue = QueueInHand()
        swept(as_of=FEB_1, queue=queue)
        before = Account.objects.values_list("status", "dunning_steps", "dunning_on").get()
        assert delivered(bodies=queue.take(), today=FEB_1, gateway=gateway) == []
        assert (gateway.requests, Payment.objects.count()) == ([], 1)
        newest = Invoice.objects.latest("id")
        assert (newest.status, newest.in_flight, newest.declined_on) == ("OPEN", False, FEB_1)
        # Its dunning runs already, and is not begun anew.
        assert Account.objects.values_list("status", "dunning_steps", "dunning_on").get() == before
        assert state_of(account)[1:] == (3998, 0)

    def test_of_an_account_that_owes_nothing_begins_its_dunning(self, settings: Any) -> None:
        settings.DUNNING_DAYS = [1, 3]
        account = an_account()
        Account.objects.update(payment_method_unusable=True)
        gateway = ScriptedGateway()
        billed(as_of=TODAY, gateway=gateway)
        account.refresh_from_db()
        assert (gateway.requests, account.status) == ([], "PAST_DUE")
        assert (account.dunning_steps, account.dunning_on) == (0, TODAY + DAY)


class TestSendInvoice:
    def test_is_open_until_its_due_date_and_never_at_the_gateway(self) -> None:
        account, gateway = an_account(collection_method="send_invoice", net_days=30), ScriptedGateway()
        billed(as_of=TODAY, gateway=gateway)
        invoice = Invoice.objects.get()
        assert (invoice.status, invoice.collection_method) == ("OPEN", "send_invoice")
        assert (invoice.due_on, invoice.in_flight, invoice.declined_on) == (TODAY + 30 * DAY, False, None)
        assert (gateway.requests, Payment.objects.count()) == ([], 0)
        assert state_of(account) == ("ACTIVE", 1999, 0)

    def test_makes_the_account_past_due_from_the_day_after_and_inactive_once_unpaid_too_long(
        self, settings: Any
    ) -> None:
        settings.UNPAID_DAYS = 60
        account = an_account(
            plan=a_plan(interval_unit="year"), collection_method="send_invoice", net_days=30, anchor_date=TODAY
        )
        billed(as_of=TODAY)
        seen = []
        for days in (30, 31, 89, 90):
            billed(as_of=TODAY + days * DAY)
            account.refresh_from_db()
            seen.append((account.status, account.inactive_reason))
        assert seen == [("ACTIVE", ""), ("PAST_DUE", ""), ("PAST_DUE", ""), ("INACTIVE", "unpaid")]
        assert Payment.objects.count() == 0

    def test_has_no_minimum(self, settings: Any) -> None:
        settings.MIN_COLLECTED_MINOR = {"USD": 50}
        account = an_account(collection_method="send_invoice", unit_amount_minor=30)
        billed(as_of=TODAY)
        assert state_of(account) == ("ACTIVE", 30, 0)


class TestWhatIsNotCharged:
    def test_a_period_that_is_taken_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Past every lock: what the one statement doesn't move isn't invoiced."""
        taken, free, queue = an_account(), an_account(), QueueInHand()
        swept(as_of=TODAY, queue=queue)

        def too_late(**arguments: Any) -> Any:
            decision = decide(**arguments)
            taken.rebillings.update(status="SKIPPED", reason="skipped_by_person")
            return decision

        monkeypatch.setattr(charging, "decide", too_late)
        assert delivered(bodies=queue.take()) == []
        assert [statuses_of(account)[0][1] for account in (taken, free)] == ["SKIPPED", "CHARGED"]
        assert [rows(account) for account in (taken, free)] == [[], [("PAID", 0, 1999)]]
        taken.refresh_from_db()
        assert taken.rebilling_date == TODAY

    def test_an_inactive_accounts_period_is_skipped(self) -> None:
        account, queue = an_account(), QueueInHand()
        swept(as_of=TODAY, queue=queue)
        deactivate(account)
        assert delivered(bodies=queue.take()) == []
        rebilling = Rebilling.objects.get()
        assert (rebilling.status, rebilling.reason) == ("SKIPPED", "account_inactive")
        assert (Entry.objects.count(), Invoice.objects.count()) == (0, 0)

    def test_a_period_that_is_not_the_next_one_is_parked_and_logged(
        self, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
    ) -> None:
        account, queue = an_account(), QueueInHand()
        swept(as_of=TODAY, queue=queue)
        Account.objects.update(rebilling_date=TODAY + DAY)
        with django_capture_on_commit_callbacks(execute=True):
            assert delivered(bodies=queue.take()) == []
        rebilling = Rebilling.objects.get()
        assert (rebilling.status, rebilling.reason) == ("PARKED", "not_the_next_period")
        assert rebilling.detail == "the account's rebilling date is 2026-01-02"
        assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
            "a period was parked"
        ]
        assert (Entry.objects.count(), Invoice.objects.count()) == (0, 0)
        account.refresh_from_db()
        assert account.rebilling_date == TODAY + DAY

    def test_a_later_period_waits_for_an_earlier_one_in_another_batch(self) -> None:
        account = daily()
        early, late = QueueInHand(), QueueInHand()
        swept(as_of=TODAY, queue=early)
        swept(as_of=TODAY + DAY, queue=late)
        (message,) = late.messages
        only_the_later = PeriodsMessage(run_id=message.run_id, as_of=message.as_of, periods=message.periods[1:])
        late.take()
        late.send([only_the_later])
        assert delivered(bodies=late.bodies, today=TODAY + DAY) == []
        assert statuses_of(account) == [(TODAY, "DUE"), (TODAY + DAY, "DUE")]
        assert delivered(bodies=early.take() + late.take(), today=TODAY + DAY) == []
        assert statuses_of(account) == [(TODAY, "CHARGED"), (TODAY + DAY, "CHARGED")]
        assert [invoice.total_minor for invoice in Invoice.objects.order_by("id")] == [100, 100]


class TestAPeriodInTheFuture:
    """No sweep finds one; a row or a message that names one was made by hand, or by mistake."""

    def test_is_not_charged_whatever_a_row_and_a_message_say(self, caplog: pytest.LogCaptureFixture) -> None:
        account = daily()
        run = swept(as_of=TODAY, queue=QueueInHand())
        tomorrow = saved(a_claim(account, TODAY + DAY, run=run))
        run.as_of = TODAY + 365 * DAY
        body = a_message(run=run, rebillings=[account.rebillings.earliest("period_start"), tomorrow])
        assert delivered(bodies=[body]) == []
        assert statuses_of(account) == [(TODAY, "CHARGED"), (TODAY + DAY, "DUE")]
        account.refresh_from_db()
        assert account.rebilling_date == TODAY + DAY
        assert Entry.objects.filter(type="charge").count() == Payment.objects.count() == Invoice.objects.count() == 1
        (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
        assert record.event == "rebilling.not_begun"  # type: ignore[attr-defined]

    def test_is_unexplained_an_hour_later_and_charged_on_its_first_day(self) -> None:
        account = daily()
        run = billed(as_of=TODAY)
        saved(a_claim(account, TODAY + DAY, run=run))
        found = reconciliation_of(run=run, now=NOW + datetime.timedelta(hours=1))
        assert found.unexplained_first == [f"{account.id} from {TODAY + DAY} is still DUE"]
        billed(as_of=TODAY + DAY)
        assert statuses_of(account) == [(TODAY, "CHARGED"), (TODAY + DAY, "CHARGED")]


class TestManyPeriods:
    def test_36_due_periods_of_an_account_are_one_invoice(self) -> None:
        account = daily()
        billed(as_of=TODAY + 35 * DAY)
        assert [status for _, status in statuses_of(account)] == ["CHARGED"] * 36
        assert rows(account) == [("PAID", 0, 3600)]
        assert [position for position, *_ in lines_of(account)] == list(range(1, 37))

    def test_37_park_the_first_and_the_account_waits(self) -> None:
        account = daily()
        run = billed(as_of=TODAY + 36 * DAY)
        again = billed(as_of=TODAY + 37 * DAY)
        assert statuses_of(account) == [(TODAY, "PARKED")]
        now = at(TODAY + 40 * DAY)
        assert reconciliation_of(run=run, now=now).parked.reasons == {"too_many_periods": 1}
        assert reconciliation_of(run=run, now=now).clean
        assert reconciliation_of(run=again, now=now).clean
        assert (Entry.objects.count(), Invoice.objects.count()) == (0, 0)


class TestADeclineOfOneInvoice:
    def test_leaves_all_of_its_periods_charged_and_the_account_past_due(self) -> None:
        account = daily()
        billed(as_of=TODAY + DAY, gateway=ScriptedGateway(Declined(code="insufficient_funds")))
        assert statuses_of(account) == [(TODAY, "CHARGED"), (TODAY + DAY, "CHARGED")]
        assert state_of(account) == ("PAST_DUE", 200, 0)
        account.refresh_from_db()
        assert account.rebilling_date == TODAY + 2 * DAY
