"""What the application's role may do to each table, by the catalog and by trying."""

import datetime

import pytest
from django.db import ProgrammingError, connection, transaction

from accounts.plans import retire_plan
from ledger.models import Entry
from tests.builders import TODAY, a_plan, an_account, billed
from tests.support.databases import rolled_back

READ, ADD, CHANGE, DELETE = "SELECT", "INSERT", "UPDATE", "DELETE"
GRANTED = {
    "accounts_plan": {READ, ADD},  # and UPDATE of `retired`
    "accounts_account": {READ, ADD, CHANGE},
    "accounts_statuschange": {READ, ADD},
    "ledger_entry": {READ, ADD},
    "payments_payment": {READ, ADD, CHANGE},
    "payments_refund": {READ, ADD, CHANGE},
    "rebilling_run": {READ, ADD, CHANGE},
    "rebilling_rebilling": {READ, ADD, CHANGE},
    "django_migrations": {READ},
}
PRIVILEGES = [READ, ADD, CHANGE, DELETE, "TRUNCATE", "REFERENCES", "TRIGGER"]

REFUSED = {
    "a plan's price is not edited": "UPDATE accounts_plan SET unit_amount_minor = 1",
    "a plan's interval is not edited": "UPDATE accounts_plan SET interval_count = 2, retired = true",
    "a plan is not deleted": "DELETE FROM accounts_plan",
    "an account is not deleted": "DELETE FROM accounts_account",
    "a history is not edited": "UPDATE accounts_statuschange SET reason = 'other'",
    "a history is not deleted": "DELETE FROM accounts_statuschange",
    "a payment is not deleted": "DELETE FROM payments_payment",
    "a refund is not deleted": "DELETE FROM payments_refund",
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


def rows(*queries: str) -> list[object]:
    found: list[object] = []
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

    def test_may_change_nothing_of_a_plan_but_whether_it_is_retired(self) -> None:
        columns = "SELECT attname FROM pg_attribute WHERE attrelid = 'accounts_plan'::regclass AND attnum > 0"
        assert rows(columns + " AND has_column_privilege(attrelid, attnum, 'UPDATE')") == [("retired",)]

    def test_may_empty_hook_or_point_to_no_table_at_all(self) -> None:
        tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        assert rows(tables + " AND has_table_privilege(oid, 'TRUNCATE, REFERENCES, TRIGGER')") == []
        assert ("ledger_entry",) in rows(tables)

    @pytest.mark.parametrize("statement", [pytest.param(sql, id=name) for name, sql in REFUSED.items()])
    def test_is_refused(self, statement: str) -> None:
        an_account()
        billed(as_of=TODAY)
        evidence = [f"SELECT * FROM {table} ORDER BY id" for table in GRANTED]
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
