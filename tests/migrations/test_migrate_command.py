"""`manage.py migrate` as it is run by hand: alone it uses the owner's role, and says what is missing without it."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.db import connections

from tests.migrations.conftest import MakeDatabase, url_of

ROOT = Path(__file__).resolve().parent.parent.parent
TABLES = "SELECT relname, relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"


@pytest.fixture(scope="module")
def database(make_database: MakeDatabase) -> str:
    return make_database("by_hand")


def migrate(*, database: str, data: Path, with_owner: bool) -> subprocess.CompletedProcess[str]:
    owner = url_of(database=database, role="owner") if with_owner else ""
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "PYTHONUTF8": "1",
        "SECRET_KEY": "tests-only",
        "BILLING_DATA": str(data),
        "DATABASE_URL": url_of(database=database, role="application"),
        # Blank, and not absent: the environment wins over an `.env` of this clone.
        "DATABASE_OWNER_URL": owner,
    }
    return subprocess.run(
        [sys.executable, "manage.py", "migrate"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def rows(*, database: str, role: str, query: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url_of(database=database, role=role))) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


class TestMigrateCommand:
    def test_refuses_in_one_line_without_the_owner(self, database: str, tmp_path: Path) -> None:
        before = rows(database=database, role="owner", query=TABLES)
        done = migrate(database=database, data=tmp_path, with_owner=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "CommandError: Migrations need the owner's role: set DATABASE_OWNER_URL.\n"
        assert rows(database=database, role="owner", query=TABLES) == before

    def test_alone_builds_everything_as_the_owner_for_the_application(self, database: str, tmp_path: Path) -> None:
        done = migrate(database=database, data=tmp_path, with_owner=True)
        assert done.returncode == 0, done.stderr
        found = rows(database=database, role="owner", query=TABLES)
        assert {owner for _, owner in found} == {connections["owner"].settings_dict["USER"]}
        assert {name for name, _ in found} > {"accounts_account", "ledger_entry", "rebilling_rebilling"}
        count = "SELECT count(*) FROM ledger_entry"
        assert rows(database=database, role="application", query=count) == [(0,)]
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            rows(database=database, role="application", query="DELETE FROM ledger_entry RETURNING id")
