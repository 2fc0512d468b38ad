"""The test database lets no row change its state but as `docs/states.md` says, whatever test or process changes it."""

from typing import Any

from django.db import connection

from tests.support.states_page import changes

TABLES = {
    "account": "accounts_account",
    "rebilling": "rebilling_rebilling",
    "payment": "payments_payment",
    "refund": "payments_refund",
    "run": "rebilling_run",
}

# The function is its owner's, so that the application's role needs no rights here. What is recorded is of one
# transaction: one that asks for it by the setting.
_FUNCTION = """
    CREATE SCHEMA states_page;
    GRANT USAGE ON SCHEMA states_page TO PUBLIC;
    CREATE TABLE states_page.documented (kind text, before text, after text);
    CREATE UNLOGGED TABLE states_page.seen (transaction xid8, kind text, before text, after text);
    GRANT SELECT ON states_page.seen TO PUBLIC;
    CREATE FUNCTION states_page.look() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    DECLARE
        was text := '';
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            was := OLD.status;
        END IF;
        IF NOT EXISTS (
            SELECT FROM states_page.documented AS d
            WHERE (d.kind, d.before, d.after) = (TG_ARGV[0], was, NEW.status)
        ) THEN
            -- No row's fault, which the product would set aside.
            RAISE EXCEPTION 'docs/states.md: no % goes from % to %', TG_ARGV[0],
                coalesce(nullif(was, ''), 'its beginning'), NEW.status USING ERRCODE = 'undefined_object';
        END IF;
        IF current_setting('states_page.record', true) = 'on' THEN
            INSERT INTO states_page.seen VALUES (pg_current_xact_id(), TG_ARGV[0], was, NEW.status);
        END IF;
        RETURN NULL;
    END $$;
"""
_TRIGGERS = """
    CREATE TRIGGER states_page_begins AFTER INSERT ON {table}
        FOR EACH ROW EXECUTE FUNCTION states_page.look('{kind}');
    CREATE TRIGGER states_page_changes AFTER UPDATE ON {table}
        FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION states_page.look('{kind}');
"""


def install(cursor: Any) -> None:
    """`cursor` is the owner's."""
    cursor.execute(_FUNCTION)
    documented = [(kind, before, after) for kind in TABLES for before, ends in changes(kind).items() for after in ends]
    cursor.executemany("INSERT INTO states_page.documented VALUES (%s, %s, %s)", documented)
    for kind, table in TABLES.items():
        cursor.execute(_TRIGGERS.format(table=table, kind=kind))


def record() -> None:
    """From here on the changes of this transaction are recorded."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL states_page.record = 'on'")


def recorded(kind: str) -> set[tuple[str, str]]:
    """The changes that rows of the kind have made in this transaction, each as (from, to)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT before, after FROM states_page.seen WHERE kind = %s AND transaction = pg_current_xact_id()", [kind]
        )
        return set(cursor.fetchall())
