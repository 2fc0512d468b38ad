"""The changes of state that the database's triggers allow, and a record of those that rows make."""

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, connections

TABLES = {
    "account": "accounts_account",
    "invoice": "invoices_invoice",
    "rebilling": "rebilling_rebilling",
    "payment": "payments_payment",
    "refund": "payments_refund",
    "session": "payments_paymentmethodsession",
    "run": "rebilling_run",
}
_DEFINITION = "SELECT tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = %s"
_PAIR = re.compile(r"\(\(old\.status\)::text <> '([A-Z_]+)'::text\) OR \(\(new\.status\)::text <> '([A-Z_]+)'::text\)")
_STATE = re.compile(r"'([A-Z_]+)'::")

_RECORDER = """
    CREATE SCHEMA seen_states;
    GRANT USAGE ON SCHEMA seen_states TO PUBLIC;
    CREATE TABLE seen_states.change (kind text, before text, after text);
    GRANT SELECT ON seen_states.change TO PUBLIC;
    -- The function is its owner's, so that the application's role needs no rights here.
    CREATE FUNCTION seen_states.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        INSERT INTO seen_states.change
        VALUES (TG_ARGV[0], CASE TG_OP WHEN 'UPDATE' THEN OLD.status ELSE '' END, NEW.status);
        RETURN NULL;
    END $$;
"""
_NOTE = """
    CREATE TRIGGER seen_states_begins AFTER INSERT ON {table}
        FOR EACH ROW EXECUTE FUNCTION seen_states.note('{kind}');
    CREATE TRIGGER seen_states_changes AFTER UPDATE ON {table}
        FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION seen_states.note('{kind}');
"""


def allowed(kind: str) -> dict[str, set[str]]:
    """Where each state may go by the triggers of the kind's table; the empty state is the beginning."""
    table = TABLES[kind]
    found: dict[str, set[str]] = defaultdict(set)
    found[""] = set(_STATE.findall(_definition(table, f"{table}_starts")))
    for before, after in _PAIR.findall(_definition(table, f"{table}_moves")):
        found[before].add(after)
    return dict(found)


def _definition(table: str, trigger: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(_DEFINITION, [table, trigger])
        enabled, definition = cursor.fetchone()
    assert (enabled, definition.endswith("EXECUTE FUNCTION refuse_state()")) == ("O", True)
    return str(definition)


@contextmanager
def recorder() -> Iterator[None]:
    """While the block runs, each change of state that is committed is recorded. For tests that commit."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(_RECORDER)
        for kind, table in TABLES.items():
            cursor.execute(_NOTE.format(table=table, kind=kind))
        try:
            yield
        finally:
            cursor.execute("DROP SCHEMA seen_states CASCADE")


def recorded(kind: str) -> set[tuple[str, str]]:
    """The changes that rows of the kind have made, each as (from, to)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT before, after FROM seen_states.change WHERE kind = %s", [kind])
        return set(cursor.fetchall())
