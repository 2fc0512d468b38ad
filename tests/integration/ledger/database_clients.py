"""Clients that reach the test database past Django: psycopg2, and the real `psql`. Each commits what isn't refused."""

import os
import re
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.db import connections

from localcloud.postgres import server as postgres

_SQLSTATE = re.compile(r"^ERROR:  ([0-9A-Z]{5}): ", re.MULTILINE)


def role_name(alias: str) -> str:
    """The role that a connection of the settings logs in as: `default` the application's, `owner` the owner's."""
    return str(connections[alias].settings_dict["USER"])


def connected(alias: str) -> Any:
    """A connection of its own to the test database, which commits each statement."""
    connection = psycopg2.connect(**connections[alias].get_connection_params())
    connection.autocommit = True
    return closing(connection)


def connected_as_superuser() -> Any:
    """A superuser's connection, which no part of the product has. Skips the test where the cluster isn't ours."""
    parameters = connections["owner"].get_connection_params() | {"user": "postgres", "password": None}
    try:
        connection = psycopg2.connect(**parameters)
    except psycopg2.OperationalError:
        pytest.skip("the database server isn't the embedded one: there is no superuser to try")
    connection.autocommit = True
    return closing(connection)


def refused_by_psycopg2(*, script: str, alias: str = "default") -> psycopg2.Error:
    """Why the script was refused. Fails the test when it wasn't."""
    with connected(alias) as connection, connection.cursor() as cursor, pytest.raises(psycopg2.Error) as caught:
        cursor.execute(script)
    return caught.value


def refused_by_psql(*, script: str, alias: str = "default") -> str:
    """The SQLSTATE of the script's refusal. Fails the test when there was none."""
    settings = connections[alias].settings_dict
    options = connections[alias].get_connection_params()
    flags = {"-h": options.get("host"), "-p": options.get("port"), "-U": settings["USER"], "-d": settings["NAME"]}
    done = subprocess.run(
        [
            *(_psql(), "-X", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose"),
            *(part for flag, value in flags.items() if value for part in (flag, str(value))),
        ],
        input=script,
        env={**os.environ, "PGPASSWORD": str(options.get("password") or "")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    # 3: psql's own exit status for a script that an error stopped.
    assert done.returncode == 3, done.stdout + done.stderr
    found = _SQLSTATE.search(done.stderr)
    assert found is not None, done.stderr
    return found.group(1)


def _psql() -> Path:
    return postgres.programs() / "psql"


_WHOLE = """
    SELECT jsonb_build_object(
        'rows', (SELECT jsonb_agg(to_jsonb(entry) ORDER BY id) FROM ledger_entry AS entry),
        'table', (SELECT jsonb_build_array(
                relowner::regrole, relacl::text, relkind, relhasrules, relrowsecurity, relnamespace
            ) FROM pg_class WHERE oid = 'ledger_entry'::regclass),
        'columns', (SELECT jsonb_agg(jsonb_build_array(attname, atttypid::regtype, attacl::text) ORDER BY attnum)
            FROM pg_attribute WHERE attrelid = 'ledger_entry'::regclass AND attnum > 0),
        'triggers', (SELECT jsonb_agg(jsonb_build_array(tgname, tgenabled, pg_get_triggerdef(oid)) ORDER BY tgname)
            FROM pg_trigger WHERE tgrelid = 'ledger_entry'::regclass AND NOT tgisinternal),
        'function', (SELECT jsonb_build_array(proowner::regrole, prosrc)
            FROM pg_proc WHERE proname = 'ledger_entry_refuse_change'),
        'constraints', (SELECT jsonb_agg(jsonb_build_array(conname, pg_get_constraintdef(oid)) ORDER BY conname)
            FROM pg_constraint WHERE conrelid = 'ledger_entry'::regclass),
        'heirs', (SELECT count(*) FROM pg_inherits WHERE inhparent = 'ledger_entry'::regclass),
        'roles', (SELECT jsonb_agg(to_jsonb(role) ORDER BY rolname) FROM pg_roles AS role),
        'members', (SELECT jsonb_agg(jsonb_build_array(roleid::regrole, member::regrole)) FROM pg_auth_members)
    )
"""


def whole_ledger() -> dict[str, Any]:
    """Everything about the ledger: its rows, its table, triggers, keys and function, and who may be what."""
    with connected("owner") as connection, connection.cursor() as cursor:
        cursor.execute(_WHOLE)
        found: dict[str, Any] = cursor.fetchone()[0]
        return found
