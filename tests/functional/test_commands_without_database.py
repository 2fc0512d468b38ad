"""`manage.py` while the database is in trouble: one line on stderr, exit status 1, and no traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.lambdas.password_server import DATABASE, HOST, OWNER, OWNER_PASSWORD, PasswordServer, password_server

ROOT = Path(__file__).resolve().parents[2]
APPLICATION = "billing_app"
AWAY = "The database refuses connections, or can't be reached."
READ_ONLY = ("SET default_transaction_read_only = on", "RESET default_transaction_read_only")
CREATE_KEY = ["create_api_key", "crm", "--scope", "runs:read"]


@pytest.fixture(scope="module")
def server() -> Iterator[PasswordServer]:
    with password_server() as made:
        made.query(f"CREATE ROLE {APPLICATION} LOGIN PASSWORD '{OWNER_PASSWORD}'")
        yield made


@pytest.fixture
def migrated(server: PasswordServer) -> PasswordServer:
    """The same server, with the product's tables: made by whichever test needs them first."""
    if server.query("SELECT to_regclass('api_apikey')") == [(None,)]:
        assert _run(server, "migrate").returncode == 0
    return server


@contextmanager
def _altered(server: PasswordServer, setting: str, back: str) -> Iterator[None]:
    """Both roles are so."""
    with _altered_role(server, OWNER, setting, back), _altered_role(server, APPLICATION, setting, back):
        yield


@contextmanager
def _altered_role(server: PasswordServer, role: str, setting: str, back: str) -> Iterator[None]:
    try:
        server.query(f"ALTER ROLE {role} {setting}")
        yield
    finally:
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
    @pytest.mark.parametrize("arguments", [CREATE_KEY, ["reconcile"], ["migrate"]])
    def test_says_that_there_is_no_server(self, server: PasswordServer, arguments: list[str]) -> None:
        # The port of nothing: privileged, and given to nobody.
        _refused(_run(server, *arguments, port=1), says=AWAY)

    def test_says_what_to_do_about_missing_tables(self, migrated: PasswordServer) -> None:
        migrated.query("ALTER TABLE api_apikey RENAME TO api_apikey_of_another_release")
        try:
            done = _run(migrated, *CREATE_KEY)
        finally:
            migrated.query("ALTER TABLE api_apikey_of_another_release RENAME TO api_apikey")
        _refused(done, says="The database lacks this release's tables: run `manage.py migrate`.")

    def test_says_that_the_database_is_read_only(self, migrated: PasswordServer) -> None:
        before = migrated.query("SELECT count(*) FROM api_apikey")
        with _altered(migrated, *READ_ONLY):
            _refused(_run(migrated, *CREATE_KEY), says="The database is read-only.")
        assert migrated.query("SELECT count(*) FROM api_apikey") == before

    def test_of_the_hourly_check_logs_a_line_for_each_step_that_failed(self, migrated: PasswordServer) -> None:
        with _altered(migrated, *READ_ONLY):
            done = _run(migrated, "reconcile")
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        said = "The database is read-only."
        logged = [json.loads(line) for line in done.stderr.splitlines() if said in line]
        steps = ["hand over what is overdue", "end authentications", "check the books", "delete expired rows"]
        assert [line["step"] for line in logged] == steps
        for line in logged:
            assert (line["level"], line["message"]) == ("ERROR", f"a step of the hourly check failed: {said}")
            assert (line["event"], line["sqlstate"], "exception" in line) == ("hourly.failed", "25006", False)
        assert done.stderr.splitlines()[-1] == "CommandError: 4 steps of the check failed."

    def test_says_that_a_database_to_migrate_is_read_only(self) -> None:
        with password_server() as empty, _altered_role(empty, OWNER, *READ_ONLY):
            _refused(_run(empty, "migrate"), says="The database is read-only.")
            assert empty.query("SELECT to_regclass('django_migrations')") == [(None,)]

    def test_says_that_it_can_not_connect(self, migrated: PasswordServer) -> None:
        with _altered(migrated, "CONNECTION LIMIT 0", "CONNECTION LIMIT -1"):
            done = _run(migrated, *CREATE_KEY)
        _refused(done, says=AWAY)
        assert "too many connections" in done.stderr

    def test_says_that_it_waited_too_long(self, migrated: PasswordServer) -> None:
        with _altered(migrated, "SET lock_timeout = '50ms'", "RESET lock_timeout"), migrated.locked("api_apikey"):
            done = _run(migrated, *CREATE_KEY)
        _refused(done, says="The database had a row or a table locked for too long.")

    def test_has_no_word_for_a_bug(self, migrated: PasswordServer) -> None:
        """Which is a traceback still: here, a table that wants what nobody gives it."""
        migrated.query("ALTER TABLE api_apikey ADD CONSTRAINT surprise CHECK (name = '') NOT VALID")
        try:
            done = _run(migrated, *CREATE_KEY)
        finally:
            migrated.query("ALTER TABLE api_apikey DROP CONSTRAINT surprise")
        assert done.returncode == 1
        assert "Traceback" in done.stderr
