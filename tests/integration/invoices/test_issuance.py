"""Issuing invoices: what an account owes is written down; its credit is used, and what is too small carried forward."""

import datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.ids import new_id
from accounts.locked_accounts import lock_accounts, save_accounts
from accounts.models import Account
from invoices.credits import grant_credit
from invoices.issuance import InvoiceDraft, IssuedInvoice, NewLine, issue_invoices
from invoices.models import Invoice, InvoiceLine, Item
from ledger.balances import balance, book_totals
from ledger.models import Entry
from payments.account_updates import update_account
from tests.builders import NOW, TODAY, ScriptedGateway, a_plan, an_account, billed
from tests.support.databases import rolled_back
from tests.support.owing import FEB_1, HARD, MAR_1, answers, invoices_of, owing, rows, state_of
from tests.support.signatures import undated

pytestmark = rolled_back

SIGNED: dict[str, Any] = {"reason": "sorry", "author": "t", "today": TODAY, "now": NOW}


def credited(account: Account, amount_minor: int) -> None:
    grant_credit(account_id=account.id, amount_minor=amount_minor, **SIGNED)


def issued(*lines: tuple[Account, list[int]], today: datetime.date = TODAY) -> list[IssuedInvoice]:
    """An invoice of items for each account, with a line of each amount; in one batch."""
    with transaction.atomic():
        locked = lock_accounts(account.id for account, _ in lines)
        item = {"description": "Any", "quantity": 1, "unit_amount_minor": 1, "amount_minor": 1, "created_at": NOW}
        items = {account.id: Item(account=account, **item) for account, _ in lines}
        Item.objects.bulk_create(items.values())
        drafts = [
            InvoiceDraft(
                new_id(),
                locked[account.id],
                [
                    NewLine(InvoiceLine.Kind.ITEM, f"Item {amount}", 1, amount, amount, item_id=items[account.id].id)
                    for amount in amounts
                ],
            )
            for account, amounts in lines
        ]
        invoices = issue_invoices(drafts=drafts, today=today, author="t", now=NOW)
        save_accounts(list(locked.values()), author="t", now=NOW)
    return invoices


class TestIssueInvoices:
    def test_writes_the_invoice_with_what_is_frozen_on_it(self, settings: Any) -> None:
        settings.SELLER_NAME = "Acme, Inc."
        account = an_account(name='Zoë "Z" {x}, \\o/', email="zoe@example.com")
        billed(as_of=TODAY)
        (invoice,) = invoices_of(account)
        assert (invoice.number, invoice.currency) == (f"{account.number_prefix}-0001", "USD")
        assert (invoice.issued_on, invoice.due_on, invoice.collection_method) == (TODAY, TODAY, "automatic")
        assert (invoice.seller, invoice.customer_name) == ("Acme, Inc.", 'Zoë "Z" {x}, \\o/')
        assert (invoice.customer_email, invoice.created_at) == ("zoe@example.com", NOW)
        assert (invoice.total_minor, invoice.tax_minor, invoice.paid_minor) == (1999, 0, 1999)
        settings.SELLER_NAME = "Another, Inc."
        update_account(account_id=account.id, changes={"name": "Bo"}, **undated(SIGNED))
        invoice.refresh_from_db()
        assert (invoice.seller, invoice.customer_name) == ("Acme, Inc.", 'Zoë "Z" {x}, \\o/')

    def test_writes_a_line_and_an_entry_for_each_period(self) -> None:
        account = an_account(plan=a_plan(code="pro"), quantity=2)
        billed(as_of=TODAY)
        (line,) = InvoiceLine.objects.all()
        rebilling = account.rebillings.get()
        assert (line.kind, line.position, line.description) == ("period", 1, "Pro x 2, 1 Jan to 31 Jan 2026")
        assert (line.quantity, line.unit_amount_minor, line.amount_minor) == (2, 1999, 3998)
        assert (line.discount_minor, line.tax_minor, line.credited_minor) == (0, 0, 0)
        assert (line.period_start, line.period_end, line.rebilling_id) == (TODAY, FEB_1, rebilling.id)
        charge = Entry.objects.get(type="charge")
        assert (charge.debit, charge.credit, charge.amount_minor) == ("receivable", "revenue", 3998)
        assert (charge.invoice_id, charge.line_id) == (line.invoice_id, line.id)
        assert (charge.period_start, charge.period_end, charge.effective_on) == (TODAY, FEB_1, TODAY)
        assert (charge.description, charge.idempotency_key) == (line.description, f"charge:{rebilling.id}")

    def test_of_three_missed_months_is_one_invoice_with_three_lines_and_one_payment(self) -> None:
        account = an_account()
        gateway = ScriptedGateway()
        billed(as_of=MAR_1, gateway=gateway)
        (invoice,) = invoices_of(account)
        lines = list(invoice.lines.order_by("position").values_list("position", "period_start", "amount_minor"))
        assert lines == [(1, TODAY, 1999), (2, FEB_1, 1999), (3, MAR_1, 1999)]
        assert (invoice.total_minor, invoice.status) == (5997, "PAID")
        assert [request.amount_minor for request in gateway.requests] == [5997]
        assert [entry.effective_on for entry in Entry.objects.filter(type="charge")] == [MAR_1] * 3
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_counts_the_numbers_up_under_each_accounts_own_prefix(self) -> None:
        first, second = an_account(), an_account()
        for day in (TODAY, FEB_1):
            billed(as_of=day)
        for account in (first, second):
            prefix = account.number_prefix
            assert [each.number for each in invoices_of(account)] == [f"{prefix}-0001", f"{prefix}-0002"]
            account.refresh_from_db()
            assert (account.invoices_issued, account.credit_notes_issued) == (2, 0)
        assert first.number_prefix != second.number_prefix

    def test_never_gives_a_number_twice_where_a_batch_was_undone(self) -> None:
        account = an_account()

        with transaction.atomic():
            issued((account, [100]))
            transaction.set_rollback(True)
        issued((account, [200]))
        account.refresh_from_db()
        assert [each.number for each in invoices_of(account)] == [f"{account.number_prefix}-0001"]
        assert account.invoices_issued == 1

    def test_takes_as_many_statements_whatever_the_number_of_invoices(self) -> None:
        few, many = [an_account() for _ in range(2)], [an_account() for _ in range(20)]
        with CaptureQueriesContext(connection) as for_few:
            issued(*((account, [100, 200]) for account in few))
        with CaptureQueriesContext(connection) as for_many:
            issued(*((account, [100, 200, 300]) for account in many))
        assert len(for_few) == len(for_many)
        assert Invoice.objects.count() == 22
        assert InvoiceLine.objects.count() == 64

    def test_of_no_draft_writes_nothing(self) -> None:
        with CaptureQueriesContext(connection) as queries:
            assert issue_invoices(drafts=[], today=TODAY, author="t", now=NOW) == []
        assert len(queries) == 0

    def test_of_nothing_to_pay_is_paid_without_an_entry_or_a_payment(self) -> None:
        account = an_account(unit_amount_minor=0)
        gateway = ScriptedGateway()
        billed(as_of=TODAY, gateway=gateway)
        assert rows(account) == [("PAID", 0, 0)]
        assert (Entry.objects.count(), account.payments.count(), gateway.requests) == (0, 0, [])
        assert InvoiceLine.objects.get().amount_minor == 0
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_writes_no_entry_for_a_line_that_costs_nothing_beside_one_that_does(self) -> None:
        account = an_account()
        (invoice,) = issued((account, [0, 700, 0]))
        assert invoice.amounts.total == 700
        assert [line.amount_minor for line in InvoiceLine.objects.order_by("position")] == [0, 700, 0]
        (entry,) = Entry.objects.all()
        assert (entry.amount_minor, entry.idempotency_key) == (700, f"charge:{entry.line_id}")


class TestCreditAtIssue:
    def test_is_used_up_to_the_total(self) -> None:
        account = an_account()
        credited(account, 2500)
        gateway = ScriptedGateway()
        billed(as_of=TODAY, gateway=gateway)
        assert (rows(account), gateway.requests) == ([("PAID", 1999, 0)], [])
        assert state_of(account) == ("ACTIVE", 0, 501)

    def test_leaves_the_rest_to_be_collected(self) -> None:
        account = an_account()
        credited(account, 500)
        gateway = ScriptedGateway()
        billed(as_of=TODAY, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [1499]
        assert rows(account) == [("PAID", 500, 1499)]
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_that_is_missing_is_brought_forward(self) -> None:
        """Charge 10.00, credit 9.70, minimum 0.50: PAID, balance -0.30; the next charge of 10.00 collects 10.30."""
        account = an_account(unit_amount_minor=1000)
        credited(account, 970)
        first, second = ScriptedGateway(), ScriptedGateway()
        billed(as_of=TODAY, gateway=first)
        assert (rows(account), first.requests) == ([("PAID", 1000, 0)], [])
        assert state_of(account) == ("ACTIVE", 0, -30)
        billed(as_of=FEB_1, gateway=second)
        assert [request.amount_minor for request in second.requests] == [1030]
        assert rows(account)[1] == ("PAID", -30, 1030)
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert balance(account_id=account.id) == 0

    def test_is_not_taken_from_another_account(self) -> None:
        account, other = an_account(), an_account()
        credited(other, 5000)
        billed(as_of=TODAY)
        assert (rows(account), rows(other)) == ([("PAID", 0, 1999)], [("PAID", 1999, 0)])
        assert (state_of(account)[2], state_of(other)[2]) == (0, 3001)


class TestTooSmall:
    @pytest.mark.parametrize(
        ("total", "status", "applied", "credit"),
        [(49, "PAID", 49, -49), (50, "OPEN", 0, 0), (1, "PAID", 1, -1), (0, "PAID", 0, 0)],
    )
    def test_is_carried_forward_to_the_next_invoice(self, total: int, status: str, applied: int, credit: int) -> None:
        account = an_account()
        (invoice,) = issued((account, [total]))
        assert (invoice.amounts.status, invoice.amounts.balance_applied) == (status, applied)
        assert invoice.to_collect_minor == total - applied
        assert state_of(account)[1:] == (total - applied, credit)

    def test_goes_by_the_currency(self) -> None:
        yen = an_account(plan=a_plan(currency="JPY"))
        other = an_account(plan=a_plan(currency="GBP"))
        without_minimum = an_account(plan=a_plan(currency="KWD"))
        invoices = issued((yen, [49]), (other, [30]), (without_minimum, [1]))
        assert [invoice.to_collect_minor for invoice in invoices] == [0, 30, 1]

    def test_adds_up_until_it_is_enough(self) -> None:
        account = an_account(unit_amount_minor=20)
        collected = []
        for day in (TODAY, FEB_1, MAR_1):
            gateway = ScriptedGateway()
            billed(as_of=day, gateway=gateway)
            collected += [request.amount_minor for request in gateway.requests]
        assert collected == [60]
        assert rows(account) == [("PAID", 20, 0), ("PAID", 20, 0), ("PAID", -40, 60)]
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert book_totals()["USD"]["revenue"] == -60


class TestSentInvoices:
    def test_are_open_until_their_due_date_and_never_go_to_the_gateway(self) -> None:
        account = an_account(collection_method="send_invoice", net_days=30)
        gateway = ScriptedGateway()
        billed(as_of=TODAY, gateway=gateway)
        (invoice,) = invoices_of(account)
        assert (invoice.status, invoice.collection_method) == ("OPEN", "send_invoice")
        assert (invoice.due_on, invoice.in_flight) == (TODAY + datetime.timedelta(days=30), False)
        assert (gateway.requests, account.payments.count()) == ([], 0)
        assert state_of(account) == ("ACTIVE", 1999, 0)

    def test_have_no_minimum(self) -> None:
        account = an_account(collection_method="send_invoice", unit_amount_minor=1)
        billed(as_of=TODAY)
        assert rows(account) == [("OPEN", 0, 0)]
        assert state_of(account) == ("ACTIVE", 1, 0)

    def test_use_the_credit_balance(self) -> None:
        account = an_account(collection_method="send_invoice")
        credited(account, 1990)
        billed(as_of=TODAY)
        assert rows(account) == [("OPEN", 1990, 0)]
        assert state_of(account) == ("ACTIVE", 9, 0)

    def test_keep_their_due_date_and_method_when_the_account_changes(self) -> None:
        account = an_account(collection_method="send_invoice", net_days=30)
        billed(as_of=TODAY)
        update_account(
            account_id=account.id, changes={"collection_method": "automatic", "net_days": 7}, **undated(SIGNED)
        )
        gateway = ScriptedGateway()
        billed(as_of=FEB_1, gateway=gateway)
        first, second = invoices_of(account)
        assert (first.collection_method, first.due_on) == ("send_invoice", datetime.date(2026, 1, 31))
        assert (second.collection_method, second.due_on) == ("automatic", FEB_1)
        assert [request.amount_minor for request in gateway.requests] == [1999]


class TestAnUnusableMethod:
    def test_counts_as_declined_at_once_without_a_call(self) -> None:
        account = owing(HARD)
        gateway = answers(HARD)
        billed(as_of=FEB_1, gateway=gateway)
        _, invoice = invoices_of(account)
        assert (invoice.status, invoice.in_flight, invoice.declined_on) == ("OPEN", False, FEB_1)
        assert (gateway.requests, account.payments.count()) == ([], 1)
