"""Append-only: no statement of the application's role changes the ledger, and none of the owner's passes its triggers.

Through psycopg2 and through the real psql, with every statement committed that isn't refused.
"""

import datetime
import io
from typing import Any

import psycopg2
import pytest
from django.db import IntegrityError, connections

from accounts.errors import violated_constraint
from invoices.credits import grant_credit
from ledger.models import Entry
from tests.builders import NOW, TODAY, an_account, billed
from tests.integration.ledger.database_clients import (
    connected,
    connected_as_superuser,
    refused_by_psql,
    refused_by_psycopg2,
    role_name,
    whole_ledger,
)
from tests.integration.ledger.rows import COLUMNS
from tests.support.databases import committed

INSUFFICIENT_PRIVILEGE = "42501"
APPEND_ONLY = ("23000", "ledger_entry_append_only")

FROM_ITSELF = f"INSERT INTO ledger_entry ({COLUMNS}) SELECT {COLUMNS} FROM ledger_entry"
CHANGES = {
    "UPDATE": "UPDATE ledger_entry SET amount_minor = 1",
    "UPDATE of one column": "UPDATE ledger_entry SET description = 'nothing'",
    "UPDATE of no row": "UPDATE ledger_entry SET amount_minor = 1 WHERE false",
    "UPDATE in a WITH": "WITH new AS (UPDATE ledger_entry SET currency = 'EUR' RETURNING id) SELECT id FROM new",
    "DELETE": "DELETE FROM ledger_entry",
    "DELETE of no row": "DELETE FROM ledger_entry WHERE false",
    "DELETE in a WITH": "WITH gone AS (DELETE FROM ledger_entry RETURNING id) SELECT id FROM gone",
    "DELETE in a DO block": "DO $$ BEGIN EXECUTE 'DELETE FROM ledger_entry'; END $$",
    "TRUNCATE": "TRUNCATE ledger_entry CASCADE",
    "INSERT or UPDATE": f"{FROM_ITSELF} ON CONFLICT (id) DO UPDATE SET amount_minor = 1",
    "INSERT or UPDATE without a conflict": f"{FROM_ITSELF} WHERE false ON CONFLICT (id) DO UPDATE SET amount_minor = 1",
    "MERGE that updates": "MERGE INTO ledger_entry USING (SELECT 1) AS one ON true"
    " WHEN MATCHED THEN UPDATE SET amount_minor = 1",
    "MERGE that deletes": "MERGE INTO ledger_entry USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
}
"""What nobody may do, the owner included."""

ATTACKS = CHANGES | {
    "TRUNCATE of what it names": "TRUNCATE accounts_account, payments_payment CASCADE",
    "lock every row": "SELECT id FROM ledger_entry FOR UPDATE",
    "lock the table": "BEGIN; LOCK TABLE ledger_entry IN ACCESS EXCLUSIVE MODE",
    "disable the trigger": "ALTER TABLE ledger_entry DISABLE TRIGGER ledger_entry_no_change",
    "disable every trigger": "ALTER TABLE ledger_entry DISABLE TRIGGER ALL",
    "let replicas pass the trigger": "ALTER TABLE ledger_entry ENABLE REPLICA TRIGGER ledger_entry_no_change",
    "drop the trigger": "DROP TRIGGER ledger_entry_no_change ON ledger_entry",
    "add a trigger": "CREATE TRIGGER swallow BEFORE INSERT ON ledger_entry"
    " FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "replace the trigger's function": "CREATE OR REPLACE FUNCTION ledger_entry_refuse_change() RETURNS trigger"
    " LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
    "drop the trigger's function": "DROP FUNCTION ledger_entry_refuse_change() CASCADE",
    "rename the trigger's function": "ALTER FUNCTION ledger_entry_refuse_change() RENAME TO other",
    "write to the catalog": "UPDATE pg_trigger SET tgenabled = 'D'",
    "delete from the catalog": "DELETE FROM pg_trigger",
    "drop the table": "DROP TABLE ledger_entry CASCADE",
    "drop everything": "DROP SCHEMA public CASCADE",
    "rename the table": "ALTER TABLE ledger_entry RENAME TO other",
    "move the table": "CREATE TEMP TABLE mine (); ALTER TABLE public.ledger_entry SET SCHEMA pg_temp",
    "add a column": "ALTER TABLE ledger_entry ADD COLUMN voided boolean",
    "drop a column": "ALTER TABLE ledger_entry DROP COLUMN created_by",
    "drop a rule of the database": "ALTER TABLE ledger_entry DROP CONSTRAINT entry_amount_positive",
    "hide rows": "ALTER TABLE ledger_entry ENABLE ROW LEVEL SECURITY",
    "own the table": "ALTER TABLE ledger_entry OWNER TO {application}",
    "own what the owner owns": "REASSIGN OWNED BY {owner} TO {application}",
    "drop what the owner owns": "DROP OWNED BY {owner} CASCADE",
    "become the owner": "SET ROLE {owner}",
    "become the owner for a session": "SET SESSION AUTHORIZATION {owner}",
    "join the owner": "GRANT {owner} TO {application}",
    "become a superuser": "ALTER ROLE {application} SUPERUSER",
    "play a replica": "SET session_replication_role = replica",
    "play a replica from the next session on": "ALTER ROLE {application} SET session_replication_role = replica",
    # GRANT only warns that nothing was granted.
    "grant itself": "GRANT UPDATE, DELETE ON ledger_entry TO {application}; DELETE FROM ledger_entry",
    "a rule": "CREATE RULE swallow AS ON INSERT TO ledger_entry DO INSTEAD NOTHING",
    "a view in its place": "CREATE VIEW other AS SELECT * FROM ledger_entry",
    "an UPDATE through a view": "CREATE TEMP VIEW other AS SELECT * FROM ledger_entry;"
    " UPDATE other SET amount_minor = 1",
    "a table that inherits": "CREATE TABLE heir () INHERITS (ledger_entry)",
    "a temporary table that inherits": "CREATE TEMP TABLE heir () INHERITS (ledger_entry)",
    "a DELETE beside a table of the same name": "CREATE TEMP TABLE ledger_entry (id int);"
    " DELETE FROM ledger_entry; DELETE FROM public.ledger_entry",
    "an index": "CREATE UNIQUE INDEX one_entry_an_account ON ledger_entry (account_id)",
    "COPY from a file of the server": "COPY ledger_entry FROM '/etc/hostname'",
    "COPY from a program": "COPY ledger_entry FROM PROGRAM 'true'",
    "COPY to a program": "COPY ledger_entry TO PROGRAM 'cat'",
    "delete its account": "DELETE FROM accounts_account",
}
"""What the application's role may not do, and could turn the ledger's content or its rules with."""


@pytest.fixture
def before() -> dict[str, Any]:
    """Everything about a ledger with a charge, its payment, and a credit. Asked for by tests that commit."""
    account = an_account()
    billed(as_of=TODAY)
    grant_credit(account_id=account.id, amount_minor=500, reason="goodwill", author="test", today=TODAY, now=NOW)
    found = whole_ledger()
    assert [row["type"] for row in found["rows"]] == ["charge", "payment", "credit"]
    return found


def filled_in(script: str) -> str:
    return script.replace("{application}", role_name("default")).replace("{owner}", role_name("owner"))


def refusal_by_name(error: psycopg2.Error) -> tuple[str | None, str | None]:
    return error.pgcode, error.diag.constraint_name


@committed
class TestApplicationRole:
    def test_is_refused_every_attack_through_psycopg2(self, before: dict[str, Any]) -> None:
        found = {name: refused_by_psycopg2(script=filled_in(sql)).pgcode for name, sql in ATTACKS.items()}
        assert found == dict.fromkeys(ATTACKS, INSUFFICIENT_PRIVILEGE)
        assert whole_ledger() == before

    def test_is_refused_every_attack_through_psql(self, before: dict[str, Any]) -> None:
        found = {name: refused_by_psql(script=filled_in(sql) + ";\n") for name, sql in ATTACKS.items()}
        assert found == dict.fromkeys(ATTACKS, INSUFFICIENT_PRIVILEGE)
        assert whole_ledger() == before

    def test_is_no_superuser_and_owns_nothing(self) -> None:
        with connected("default") as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
                " FROM pg_roles WHERE rolname = current_user"
            )
            assert cursor.fetchall() == [(False, False, False, False, False)]
            cursor.execute("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
            assert cursor.fetchall() == [(0,)]
            cursor.execute("SELECT count(*) FROM pg_auth_members WHERE member = current_user::regrole")
            assert cursor.fetchall() == [(0,)]

    def test_adds_by_copy_only_what_the_rules_allow(self, before: dict[str, Any]) -> None:
        columns = "id, account_id, type, debit, credit, amount_minor, currency, effective_on, description,"
        columns += " idempotency_key, created_by"
        row = before["rows"][0]
        line = [
            *("01990000-0000-7000-8000-000000000001", row["account_id"], "credit", "credits", "receivable"),
            *("-5", "USD", "2026-01-01", "taken back", "copied", "psql"),
        ]
        with connected("default") as connection, connection.cursor() as cursor:
            copy = f"COPY ledger_entry ({columns}) FROM STDIN"
            with pytest.raises(psycopg2.Error) as caught:
                cursor.copy_expert(copy, io.StringIO("\t".join(line) + "\n"))
        assert caught.value.diag.constraint_name == "entry_amount_positive"
        script = copy + ";\n" + "\t".join(line) + "\n\\.\n"
        assert refused_by_psql(script=script) == "23514"
        line[5], line[9] = "5", row["idempotency_key"]
        assert refused_by_psql(script=copy + ";\n" + "\t".join(line) + "\n\\.\n") == "23505"
        assert whole_ledger() == before

    def test_can_not_take_an_accounts_currency_from_under_its_entries(self, before: dict[str, Any]) -> None:
        script = "UPDATE accounts_account SET currency = 'EUR'"
        assert refused_by_psycopg2(script=script).pgcode == INSUFFICIENT_PRIVILEGE
        error = refused_by_psycopg2(script=script, alias="owner")
        assert (error.pgcode, error.diag.constraint_name) == ("23503", "entry_in_its_accounts_currency")
        assert whole_ledger() == before

    def test_can_not_take_a_payment_from_under_its_entry(self, before: dict[str, Any]) -> None:
        script = "UPDATE payments_payment SET id = gen_random_uuid()"
        assert refused_by_psycopg2(script=script).pgcode == INSUFFICIENT_PRIVILEGE
        error = refused_by_psycopg2(script=script, alias="owner")
        assert (error.pgcode, error.diag.constraint_name) == ("23503", "entry_as_its_payment")
        assert whole_ledger() == before


@committed
class TestOwner:
    def test_is_refused_every_change_by_the_triggers(self, before: dict[str, Any]) -> None:
        for name, script in CHANGES.items():
            error = refused_by_psycopg2(script=script, alias="owner")
            assert refusal_by_name(error) == APPEND_ONLY, name
            assert (error.diag.schema_name, error.diag.table_name) == ("public", "ledger_entry")
            assert error.diag.message_hint == "Post a reversing entry with a reason."
            assert whole_ledger() == before, name

    def test_is_refused_a_truncate_that_reaches_the_ledger_from_its_accounts(self, before: dict[str, Any]) -> None:
        error = refused_by_psycopg2(script="TRUNCATE accounts_account CASCADE", alias="owner")
        assert error.diag.constraint_name == "ledger_entry_append_only"
        assert whole_ledger() == before

    def test_is_refused_every_change_through_psql(self, before: dict[str, Any]) -> None:
        found = {name: refused_by_psql(script=f"{sql};\n", alias="owner") for name, sql in CHANGES.items()}
        assert found == dict.fromkeys(CHANGES, "23000")
        assert whole_ledger() == before

    def test_is_refused_every_change_as_a_replica_too(self, before: dict[str, Any]) -> None:
        with connected_as_superuser() as connection, connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            for name, script in CHANGES.items():
                with pytest.raises(psycopg2.Error) as caught:
                    cursor.execute(script)
                assert refusal_by_name(caught.value) == APPEND_ONLY, name
        assert whole_ledger() == before

    def test_gets_an_integrity_error_with_the_constraints_name_from_django(self, before: dict[str, Any]) -> None:
        with pytest.raises(IntegrityError) as caught:
            Entry.objects.using("owner").update(effective_on=datetime.date(2020, 1, 1))
        assert violated_constraint(caught.value) == "ledger_entry_append_only"
        with pytest.raises(IntegrityError) as caught:
            Entry.objects.using("owner").filter(type="credit")._raw_delete("owner")
        assert violated_constraint(caught.value) == "ledger_entry_append_only"
        connections["owner"].close()
        assert whole_ledger() == before
