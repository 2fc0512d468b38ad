"""Rows that the release before there were retries had written, and what an upgrade makes of them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from pytest_django import DjangoDbBlocker

from tests.migrations.conftest import MakeDatabase

ALIAS = "upgraded"
BEFORE = [("payments", "0002"), ("rebilling", "0003")]

_ROWS = """
    INSERT INTO accounts_plan (id, code, name, currency, unit_amount_minor, interval_count, interval_unit, trial_days,
        retired, created_at)
    VALUES ('00000000-0000-7000-8000-000000000001', 'gold', 'Gold', 'USD', 1999, 1, 'month', 0, false, now());
    INSERT INTO accounts_account (id, name, email, status, inactive_reason, plan_id, quantity, unit_amount_minor,
        currency, anchor_date, rebilling_date, first_rebilling_date, billing_since, payment_customer, payment_method,
        metadata, created_at)
    VALUES ('00000000-0000-7000-8000-000000000002', 'Ada', 'ada@example.com', 'PAST_DUE', '',
        '00000000-0000-7000-8000-000000000001', 1, 1999, 'USD', '2026-01-01', '2026-02-01', '2026-01-01', now(),
        'cus_1', 'pm_1', '{}', now());
    INSERT INTO ledger_entry (id, account_id, type, amount_minor, currency, debit, credit, effective_on, period_start,
        period_end, description, idempotency_key, created_at, created_by)
    VALUES ('00000000-0000-7000-8000-000000000003', '00000000-0000-7000-8000-000000000002', 'charge', 1999, 'USD',
        'receivable', 'revenue', '2026-01-01', '2026-01-01', '2026-02-01', 'Gold', 'k', now(), 'system:rebilling');
    INSERT INTO rebilling_run (id, as_of, status, started_at, held_because, decision)
    VALUES ('00000000-0000-7000-8000-000000000004', '2026-01-01', 'OPEN', now(), '', '');
    INSERT INTO rebilling_rebilling (id, run_id, account_id, period_start, period_end, status, reason, detail,
        amount_minor, credit_minor, paid_minor, currency, charge_id, due_since)
    VALUES ('00000000-0000-7000-8000-000000000005', '00000000-0000-7000-8000-000000000004',
        '00000000-0000-7000-8000-000000000002', '2026-01-01', '2026-02-01', 'UNPAID', '', '', 1999, 0, 0, 'USD',
        '00000000-0000-7000-8000-000000000003', now());
"""
_PAYMENT = """
    INSERT INTO payments_payment (id, account_id, charge_id, amount_minor, currency, status, decline_code,
        needs_person, needs_person_reason, gateway, gateway_reference, submitted_at, settled_at)
    VALUES (gen_random_uuid(), '00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000000003', 1999,
        'USD', %s, %s, false, '', 'logging', '', '2026-01-01T06:00:00Z', %s)
"""


@pytest.fixture(scope="module")
def execute(make_database: MakeDatabase, django_db_blocker: DjangoDbBlocker) -> Iterator[Callable[..., list[Any]]]:
    """Statements on a database of the release before, in which a charge was declined and another call was lost."""
    database = make_database("upgraded")
    connections.databases[ALIAS] = connections.databases["owner"] | {"NAME": database}

    def run(statement: str, *values: str | None) -> list[Any]:
        with connections[ALIAS].cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    try:
        with django_db_blocker.unblock():
            for app, migration in BEFORE:
                call_command("migrate", app, migration, database=ALIAS, verbosity=0)
            run(_ROWS)
            run(_PAYMENT, "DECLINED", "insufficient_funds", "2026-01-01T06:00:01Z")
            run(_PAYMENT, "SUBMITTED", "", None)
            call_command("migrate", database=ALIAS, verbosity=0)
            yield run
    finally:
        connections[ALIAS].close()
        del connections[ALIAS], connections.databases[ALIAS]


class TestUpgrade:
    def test_takes_payments_to_have_been_asked_for_from_the_customer_of_then(
        self, execute: Callable[..., list[Any]]
    ) -> None:
        found = execute("SELECT asked_at = submitted_at, customer, payment_method FROM payments_payment")
        assert found == [(True, "cus_1", "pm_1")] * 2

    def test_leaves_what_is_unpaid_to_the_next_sweep(self, execute: Callable[..., list[Any]]) -> None:
        assert execute("SELECT retry_on = period_start, declined_on FROM rebilling_rebilling") == [(True, None)]

    def test_lets_the_code_of_the_release_before_go_on_writing(self, execute: Callable[..., list[Any]]) -> None:
        """It writes without the new columns while the new release goes out; refused, its periods would be parked."""
        execute(_PAYMENT, "DECLINED", "insufficient_funds", "2026-01-02T06:00:01Z")
        assert execute("SELECT count(*) FROM payments_payment WHERE customer = ''") == [(1,)]
