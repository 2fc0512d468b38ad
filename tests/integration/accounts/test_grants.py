"""What the application's role may do to each table, by the catalog and by trying."""

import datetime
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction

from accounts.contact import CONTACT_FIELDS
from accounts.plans import retire_plan
from invoices.credit_notes import issue_credit_note
from invoices.models import Invoice
from ledger.models import Entry
from tests.builders import NOW, TODAY, a_plan, an_account, billed
from tests.support.databases import rolled_back
from tests.support.refunds import paid, requested

READ, ADD, CHANGE, DELETE = "SELECT", "INSERT", "UPDATE", "DELETE"
GRANTED = {
    "accounts_plan": {READ, ADD},
    "accounts_account": {READ, ADD},
    "accounts_terms": {READ, ADD},
    "accounts_taxrate": {READ, ADD},
    "accounts_discount": {READ, ADD},
    "accounts_accountchange": {READ, ADD},
    "ledger_entry": {READ},  # and INSERT of all columns but `created_at`
    "invoices_invoice": {READ, ADD},
    "invoices_invoiceline": {READ, ADD},
    "invoices_item": {READ, ADD},
    "invoices_creditnote": {READ, ADD},
    "invoices_creditnoteline": {READ, ADD},
    "payments_payment": {READ, ADD},
    "payments_refund": {READ, ADD},
    "payments_paymentmethodsession": {READ, ADD},
    "payments_gatewayrate": {READ, ADD},
    "rebilling_run": {READ, ADD},
    "rebilling_rebilling": {READ, ADD},
    "rebilling_proration": {READ, ADD},
    "django_migrations": {READ},
}
CHANGED = {
    "accounts_plan": {"retired"},
    "accounts_account": {
        *CONTACT_FIELDS,
        *("status", "inactive_reason", "name", "email", "anchor_date", "rebilling_date", "first_rebilling_date"),
        *("billing_since", "external_reference", "collection_method", "net_days", "payment_customer"),
        *("on_decline", "tax_rate_id", "discount_id"),
        *("payment_method", "payment_method_unusable", "credit_balance_minor", "invoices_issued"),
        *(
            "credit_notes_issued",
            "dunning_steps",
            "dunning_on",
            "opened_on",
            "trial_ends_on",
            "closes_on",
            "pauses_on",
            "resumes_on",
            "metadata",
        ),
    },
    "accounts_terms": {"withdrawn_at", "cut_at"},
    "invoices_invoice": {
        *("status", "credited_minor", "credited_to_balance_minor", "credited_to_refund_minor"),
        *("balance_applied_minor", "paid_minor", "refunded_minor", "refunding_minor", "written_off_minor"),
        *("in_flight", "declined_on"),
    },
    "invoices_invoiceline": {"credited_minor"},
    "invoices_item": {"rebilling_id", "invoiced_minor", "removed_at", "removed_by", "removal_reason"},
    "payments_payment": {
        *("status", "decline_code", "needs_review", "review_reason", "resolution", "resolved_by"),
        *("gateway_reference", "first_called_at", "leased_until", "completed_at", "excess_minor", "refunded_minor"),
    },
    "payments_refund": {
        *("status", "failure_code", "needs_review", "review_reason", "resolution", "resolved_by"),
        *("gateway_reference", "first_called_at", "leased_until", "completed_at"),
    },
    "payments_paymentmethodsession": {
        *("status", "failure_code", "gateway_reference", "client_secret", "customer", "payment_method"),
        *("look_up_requested_at", "completed_at"),
    },
    "payments_gatewayrate": {"free_at"},
    "rebilling_run": {
        *("status", "swept_at", "passed_at", "held_because", "decided_at", "decision", "gaps_searched_at"),
        *("reconciled_at", "figures"),
    },
    "rebilling_rebilling": {"status", "reason", "detail", "ended_on", "invoice_id", "due_since"},
}
"""The columns that the application may change; of every other table none."""
PRIVILEGES = [READ, ADD, CHANGE, DELETE, "TRUNCATE", "REFERENCES", "TRIGGER"]

REFUSED = {
    "a plan's price is not edited": "UPDATE accounts_plan SET unit_amount_minor = 1",
    "a plan's interval is not edited": "UPDATE accounts_plan SET interval_count = 2, retired = true",
    "a plan is not deleted": "DELETE FROM accounts_plan",
    "an account is not deleted": "DELETE FROM accounts_account",
    "an account's currency is not edited": "UPDATE accounts_account SET currency = 'EUR'",
    "the prefix of an account's numbers is not edited": "UPDATE accounts_account SET number_prefix = 'MINE'",
    "a tax rate is not edited": "UPDATE accounts_taxrate SET percent = 1",
    "a tax rate is not deleted": "DELETE FROM accounts_taxrate",
    "a discount is not edited": "UPDATE accounts_discount SET percent = 100",
    "a discount is not deleted": "DELETE FROM accounts_discount",
    "terms are not edited": "UPDATE accounts_terms SET unit_amount_minor = 1",
    "terms are not deleted": "DELETE FROM accounts_terms",
    "a history is not edited": "UPDATE accounts_accountchange SET reason = 'other'",
    "a history is not deleted": "DELETE FROM accounts_accountchange",
    "an invoice's total is not edited": "UPDATE invoices_invoice SET total_minor = 1",
    "an invoice's number is not edited": "UPDATE invoices_invoice SET number = 'mine'",
    "an invoice's due date is not edited": "UPDATE invoices_invoice SET due_on = due_on + 30",
    "an invoice's customer is not edited": "UPDATE invoices_invoice SET customer_name = 'other'",
    "an invoice is not deleted": "DELETE FROM invoices_invoice",
    "a line's amount is not edited": "UPDATE invoices_invoiceline SET amount_minor = 1",
    "a line's tax is not edited": "UPDATE invoices_invoiceline SET tax_minor = 0",
    "a period's discount is not edited": "UPDATE rebilling_rebilling SET discount_minor = 0",
    "a line's description is not edited": "UPDATE invoices_invoiceline SET description = 'other'",
    "a line is not deleted": "DELETE FROM invoices_invoiceline",
    "an item's amount is not edited": "UPDATE invoices_item SET amount_minor = 1",
    "an item is not deleted": "DELETE FROM invoices_item",
    "a credit note is not edited": "UPDATE invoices_creditnote SET amount_minor = 1",
    "a credit note is not deleted": "DELETE FROM invoices_creditnote",
    "a credit note's line is not edited": "UPDATE invoices_creditnoteline SET amount_minor = 1",
    "a credit note's line is not deleted": "DELETE FROM invoices_creditnoteline",
    "a payment's amount is not edited": "UPDATE payments_payment SET amount_minor = 1",
    "a payment's account is not edited": "UPDATE payments_payment SET account_id = gen_random_uuid()",
    "a payment's invoice is not edited": "UPDATE payments_payment SET invoice_id = NULL",
    "a payment's currency is not edited": "UPDATE payments_payment SET currency = 'EUR'",
    "a payment's gateway is not edited": "UPDATE payments_payment SET gateway = 'other'",
    "a refund's amount is not edited": "UPDATE payments_refund SET amount_minor = 1",
    "a refund's payment is not edited": "UPDATE payments_refund SET payment_id = gen_random_uuid()",
    "a refund's source is not edited": "UPDATE payments_refund SET source = 'balance'",
    "a period's dates are not edited": "UPDATE rebilling_rebilling SET period_end = period_end + 1",
    "a period's price is not edited": "UPDATE rebilling_rebilling SET amount_minor = 1",
    "a period's account is not edited": "UPDATE rebilling_rebilling SET account_id = gen_random_uuid()",
    "an entry's time is not given": "INSERT INTO ledger_entry (id, created_at) VALUES (gen_random_uuid(), now())",
    "a payment is not deleted": "DELETE FROM payments_payment",
    "a refund is not deleted": "DELETE FROM payments_refund",
    "a session's account is not edited": "UPDATE payments_paymentmethodsession SET account_id = gen_random_uuid()",
    "a session's gateway is not edited": "UPDATE payments_paymentmethodsession SET gateway = 'other'",
    "a session's end is not edited": "UPDATE payments_paymentmethodsession SET expires_at = now()",
    "a session is not deleted": "DELETE FROM payments_paymentmethodsession",
    "a change within a period is not edited": "UPDATE rebilling_proration SET credit_minor = 1",
    "a change within a period is not deleted": "DELETE FROM rebilling_proration",
    "a run's date is not edited": "UPDATE rebilling_run SET as_of = as_of - 1",
    "a run's usual size is not edited": "UPDATE rebilling_run SET usual = NULL",
    "a run is not deleted": "DELETE FROM rebilling_run",
    "a rebilling is not deleted": "DELETE FROM rebilling_rebilling",
    "a migration is not recorded": "INSERT INTO django_migrations (app, name, applied) VALUES ('a', 'b', now())",
    "a migration is not moved": "UPDATE django_migrations SET applied = now()",
    "a migration is not forgotten": "DELETE FROM django_migrations",
    "accounts are not emptied": "TRUNCATE accounts_account CASCADE",
    "a table is not made": "CREATE TABLE mine (id integer)",
    "a schema is not made": "CREATE SCHEMA mine",
    "a sequence is not moved": "SELECT setval(pg_get_serial_sequence('django_migrations', 'id'), 1)",
}


def rows(*queries: str) -> list[Any]:
    found: list[Any] = []
    with connection.cursor() as cursor:
        for query in queries:
            cursor.execute(query)
            found += cursor.fetchall()
    return found


@rolled_back
class TestApplicationRole:
    def test_may_do_to_each_table_just_what_it_needs(self) -> None:
        held = {
            table: {
                privilege
                for privilege in PRIVILEGES
                if rows(f"SELECT has_table_privilege('{table}', '{privilege}')") == [(True,)]
            }
            for table in GRANTED
        }
        assert held == GRANTED

    def test_may_change_just_the_columns_that_it_needs_to(self) -> None:
        changeable = (
            "SELECT attrelid::regclass::text, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
            " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped"
            " AND has_column_privilege(attrelid, attnum, 'UPDATE')"
            " AND NOT has_table_privilege(attrelid, 'UPDATE')"
        )
        found: dict[str, set[str]] = {}
        for table, column in rows(changeable):
            found.setdefault(table, set()).add(column)
        assert found == CHANGED

    def test_may_give_an_entry_everything_but_the_time_of_its_writing(self) -> None:
        columns = "SELECT attname FROM pg_attribute WHERE attrelid = 'ledger_entry'::regclass AND attnum > 0"
        kept = rows(columns + " AND NOT has_column_privilege(attrelid, attnum, 'INSERT') ORDER BY attname")
        assert kept == [("booked_payment_id",), ("booked_refund_id",), ("created_at",)]

    def test_may_empty_hook_or_point_to_no_table_at_all(self) -> None:
        tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        assert rows(tables + " AND has_table_privilege(oid, 'TRUNCATE, REFERENCES, TRIGGER')") == []
        assert ("ledger_entry",) in rows(tables)

    @pytest.mark.parametrize("statement", [pytest.param(sql, id=name) for name, sql in REFUSED.items()])
    def test_is_refused(self, statement: str) -> None:
        payment = paid()
        requested(payment, 500)
        issue_credit_note(
            invoice_id=Invoice.objects.get().id, amount_minor=1, reason="r", author="t", today=TODAY, now=NOW
        )
        evidence = [f"SELECT * FROM {table} ORDER BY 1" for table in GRANTED]
        before = rows(*evidence)
        with pytest.raises(ProgrammingError) as caught, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
        assert getattr(caught.value.__cause__, "pgcode", None) == "42501"
        assert rows(*evidence) == before

    def test_retires_a_plan(self) -> None:
        plan = a_plan()
        retire_plan(code=plan.code)
        plan.refresh_from_db()
        assert plan.retired

    def test_is_refused_an_edited_plan_through_django_too(self) -> None:
        plan = a_plan()
        plan.unit_amount_minor = 1
        with pytest.raises(ProgrammingError, match="permission denied for table accounts_plan"), transaction.atomic():
            plan.save()
        plan.refresh_from_db()
        assert plan.unit_amount_minor == 1999

    def test_is_refused_a_changed_entry_through_django_too(self) -> None:
        an_account()
        billed(as_of=TODAY)
        entry = Entry.objects.get(type="charge")
        entry.effective_on = datetime.date(2020, 1, 1)
        with pytest.raises(ProgrammingError, match="permission denied for table ledger_entry"), transaction.atomic():
            entry.save()
        with pytest.raises(ProgrammingError, match="permission denied for table ledger_entry"), transaction.atomic():
            Entry.objects.filter(type="payment")._raw_delete("default")
        assert list(Entry.objects.order_by("id").values_list("type", "effective_on")) == [
            ("charge", TODAY),
            ("payment", TODAY),
        ]
