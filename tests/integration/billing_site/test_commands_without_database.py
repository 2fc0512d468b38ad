"""`manage.py` while the database is in trouble: one line on stderr, exit status 1, and no traceback."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lambdas.password_server import DATABASE, HOST, OWNER, OWNER_PASSWORD, PasswordServer, password_server

ROOT = Path(__file__).resolve().parents[3]
APPLICATION = "billing_app"
READ_ONLY = ("SET default_transaction_read_only = on", "RESET default_transaction_read_only")
CREATE_KEY = ["create_api_key", "crm", "--scope", "runs:read"]


@pytest.fixture(scope="module")
def server() -> Iterator[PasswordServer]:
    with password_server() as made:
        made.query(f"CREATE ROLE {APPLICATION} LOGIN PASSWORD '{OWNER_PASSWORD}'")
        yield made


@contextmanager
def _altered(server: PasswordServer, setting: str, back: str) -> Iterator[None]:
    """Both roles are so."""
    try:
        for role in (OWNER, APPLICATION):
            server.query(f"ALTER ROLE {role} {setting}")
        yield
    finally:
        for role in (OWNER, APPLICATION):
            server.query(f"ALTER ROLE {role} {back}")


def _run(server: PasswordServer, *arguments: str, port: int = 0) -> subprocess.CompletedProcess[str]:
    address = f"postgres://%s:{OWNER_PASSWORD}@{HOST}:{port or server.port}/{DATABASE}"
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "PYTHONUTF8": "1",
        "SECRET_KEY": "tests-only",
        "DATABASE_URL": address % APPLICATION,
        "DATABASE_OWNER_URL": address % OWNER,
    }
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _refused(done: subprocess.CompletedProcess[str], *, says: str) -> None:
    assert done.returncode == 1
    # What a command had to say until then is on stdout.
    assert "error" not in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {says} (")
    assert OWNER_PASSWORD not in line


class TestCommand:
    """In the order of an installation: the tables come with the one about a read-only database."""

    @pytest.mark.parametrize("arguments", [CREATE_KEY, ["certify"], ["migrate"]])
    def test_says_that_there_is_no_server(self, server: PasswordServer, arguments: list[str]) -> None:
        # The port of nothing: privileged, and given to nobody.
        _refused(_run(server, *arguments, port=1), says="The database can't be reached.")

    def test_says_what_to_do_about_missing_tables(self, server: PasswordServer) -> None:
        done = _run(server, *CREATE_KEY)
        _refused(done, says="The database lacks this release's tables: run `manage.py migrate`.")

    def test_says_that_the_database_is_read_only(self, server: PasswordServer) -> None:
        with _altered(server, *READ_ONLY):
            _refused(_run(server, "migrate"), says="The database is read-only.")
        assert _run(server, "migrate").returncode == 0
        with _altered(server, *READ_ONLY):
            _refused(_run(server, *CREATE_KEY), says="The database is read-only.")
        assert server.query("SELECT count(*) FROM api_apikey") == [(0,)]

    def test_says_that_it_can_not_connect(self, server: PasswordServer) -> None:
        with _altered(server, "CONNECTION LIMIT 0", "CONNECTION LIMIT -1"):
            done = _run(server, *CREATE_KEY)
        _refused(done, says="The database can't be reached.")
        assert "too many connections" in done.stderr

    def test_says_that_it_waited_too_long(self, server: PasswordServer) -> None:
        with _altered(server, "SET lock_timeout = '50ms'", "RESET lock_timeout"), server.locked("api_apikey"):
            done = _run(server, *CREATE_KEY)
        _refused(done, says="The database had a row or a table locked for too long.")

    def test_has_no_word_for_a_bug(self, server: PasswordServer) -> None:
        """Which is a traceback still: here, a table that lacks what it must have."""
        server.query("ALTER TABLE api_apikey ADD COLUMN surprise integer NOT NULL")
        done = _run(server, *CREATE_KEY)
        assert done.returncode == 1
        assert "Traceback" in done.stderr
