"""Everything that migrations leave in a database, as comparable rows."""

from typing import Any

from django.db import connections

_PUBLIC = "'public'::regnamespace"
_QUERIES = {
    "tables": f"SELECT relname, relowner::regrole::text FROM pg_class WHERE relnamespace = {_PUBLIC} AND relkind = 'r'",
    "columns": f"""
        SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attidentity
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = {_PUBLIC} AND relkind = 'r' AND attnum > 0 AND NOT attisdropped""",
    "constraints": f"""
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated
        FROM pg_constraint WHERE connamespace = {_PUBLIC}""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "triggers": """
        SELECT tgrelid::regclass::text, tgname, tgenabled::text, pg_get_triggerdef(oid)
        FROM pg_trigger WHERE NOT tgisinternal""",
    "functions": f"""
        SELECT proname, prosrc, proowner::regrole::text, prosecdef FROM pg_proc WHERE pronamespace = {_PUBLIC}""",
    "grants": f"""
        SELECT relname, grantee::regrole::text, privilege_type
        FROM pg_class CROSS JOIN aclexplode(relacl)
        WHERE relnamespace = {_PUBLIC} AND grantee <> relowner""",
    "column_grants": """
        SELECT attrelid::regclass::text, attname, grantee::regrole::text, privilege_type
        FROM pg_attribute CROSS JOIN aclexplode(attacl) WHERE attrelid::regclass::text NOT LIKE 'pg_%%'""",
    "default_grants": """
        SELECT defaclobjtype::text, grantee::regrole::text, privilege_type
        FROM pg_default_acl CROSS JOIN aclexplode(defaclacl) WHERE grantee <> defaclrole""",
    "migrations": "SELECT app, name FROM django_migrations",
}

Snapshot = dict[str, list[tuple[Any, ...]]]


def snapshot(alias: str) -> Snapshot:
    """What is in the database now, sorted."""
    found = {}
    with connections[alias].cursor() as cursor:
        for name, query in _QUERIES.items():
            cursor.execute(query, [])
            found[name] = sorted(cursor.fetchall())
    return found
