"""The database is away, full, read-only, busy or restarting: 503, one line in the log, and nothing moves."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections, transaction

from accounts.models import Account
from ledger.models import Entry
from tests.builders import an_account
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import committed
from tests.support.unchanged import nothing_moves

SORRY = {"amount_minor": 500, "reason": "An hour of outage."}
ADVICE = "Send the request again in some seconds; with the same Idempotency-Key it is done once."
READ_ONLY = "The database is read-only."
TOO_LONG = "The database took too long."
AWAY = "The database refuses connections, or can't be reached."

RAISED = {
    "40001": "The database had two changes at once that don't go together.",
    "40P01": "The database had two changes at once that waited for each other.",
    "53100": "The database's disk is full.",
    "53200": "The database is out of memory.",
    "53300": "The database has no connection left.",
    "57P03": "The database is restarting.",
    "58030": "The database's server has an internal fault.",
}


@pytest.fixture(autouse=True)
def _a_connection_of_its_own(transactional_db: None) -> Iterator[None]:
    """What a test sets for its session goes with the connection."""
    yield
    connection.close()


@pytest.fixture
def api(transactional_db: None) -> ApiClient:
    return ApiClient()


@pytest.fixture
def account(transactional_db: None) -> Account:
    return an_account()


def _executed(statement: str, *, alias: str = "default") -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)


@contextmanager
def _database_altered(setting: str, back: str) -> Iterator[None]:
    """New connections find the database so."""
    name = connection.settings_dict["NAME"]
    _executed(f'ALTER DATABASE "{name}" {setting}', alias="owner")
    connection.close()
    try:
        yield
    finally:
        _executed(f'ALTER DATABASE "{name}" {back}', alias="owner")
        connection.close()


@contextmanager
def _no_changes() -> Iterator[None]:
    """As after a failover, on the instance that is the replica now."""
    with _database_altered("SET default_transaction_read_only = on", "RESET default_transaction_read_only"):
        yield


def _unavailable(response: Any, *, says: str, caplog: pytest.LogCaptureFixture, sqlstate: str) -> None:
    problem = problem_of(response, status=503, slug="database-unavailable")
    assert problem["detail"] == f"{says} {ADVICE}"
    assert response["Retry-After"] == "5"
    errors = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [(record.levelname, record.exc_info) for record in errors] == [("ERROR", None)]
    request = response.wsgi_request
    assert errors[0].getMessage() == f"{request.method} {request.path}: {says}"
    assert "\n" not in errors[0].getMessage() + errors[0].__dict__["error"]
    assert (errors[0].__dict__["event"], errors[0].__dict__["sqlstate"]) == ("database.unavailable", sqlstate)


@committed
class TestTrouble:
    @pytest.mark.parametrize(("sqlstate", "says"), RAISED.items())
    def test_reported_by_the_server_is_503_and_undoes_the_work(
        self,
        api: ApiClient,
        account: Account,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        sqlstate: str,
        says: str,
    ) -> None:
        def broken(**kwargs: Any) -> Entry:
            an_account()
            _executed(f"DO $$ BEGIN RAISE EXCEPTION 'of row 1' USING ERRCODE = '{sqlstate}'; END $$")
            raise AssertionError

        path = f"/v1/accounts/{account.id}/credits"
        with monkeypatch.context() as patch, nothing_moves():
            patch.setattr("api.v1.credits.grant_credit", broken)
            response = api.post(path, SORRY, once="one")
        _unavailable(response, says=says, caplog=caplog, sqlstate=sqlstate)
        assert b"of row 1" not in response.content
        assert api.post(path, SORRY, once="one").status_code == 201

    def test_is_met_by_every_call_that_changes_something(
        self, api: ApiClient, account: Account, caplog: pytest.LogCaptureFixture
    ) -> None:
        with _no_changes(), nothing_moves():
            response = api.post(f"/v1/accounts/{account.id}/credits", SORRY, once="one")
            _unavailable(response, says=READ_ONLY, caplog=caplog, sqlstate="25006")
            caplog.clear()
            response = api.patch(f"/v1/accounts/{account.id}", {"name": "Grace"})
            _unavailable(response, says=READ_ONLY, caplog=caplog, sqlstate="25006")
            assert api.get(f"/v1/accounts/{account.id}").status_code == 200

    @pytest.mark.parametrize(
        ("setting", "says", "sqlstate"),
        [
            ("lock_timeout", "The database had a row or a table locked for too long.", "55P03"),
            ("statement_timeout", TOO_LONG, "57014"),
        ],
    )
    def test_that_is_slowness_is_503(
        self,
        api: ApiClient,
        account: Account,
        caplog: pytest.LogCaptureFixture,
        setting: str,
        says: str,
        sqlstate: str,
    ) -> None:
        _executed(f"SET {setting} = '200ms'")
        with nothing_moves(), transaction.atomic(using="owner"):
            Account.objects.using("owner").select_for_update().get(id=account.id)
            response = api.post(f"/v1/accounts/{account.id}/credits", SORRY, once="one")
            _unavailable(response, says=says, caplog=caplog, sqlstate=sqlstate)

    def test_that_ends_the_connection_is_503_and_the_next_request_is_served(
        self,
        api: ApiClient,
        account: Account,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def ended(**kwargs: Any) -> Entry:
            _executed("SELECT pg_terminate_backend(pg_backend_pid())")
            raise AssertionError

        path = f"/v1/accounts/{account.id}/credits"
        with monkeypatch.context() as patch:
            patch.setattr("api.v1.credits.grant_credit", ended)
            response = api.post(path, SORRY, once="one")
        # The driver has the server's last words (57P01) or finds the connection gone, as it happens.
        problem_of(response, status=503, slug="database-unavailable")
        # As the end of a request does, which the test's client leaves out.
        connection.close_if_unusable_or_obsolete()
        assert Entry.objects.count() == 0
        assert api.post(path, SORRY, once="one").status_code == 201

    @pytest.mark.parametrize("path", ["/v1/accounts", "/v1/plans", "/v1/runs", "/healthz"])
    def test_that_lets_nobody_connect_is_503(self, api: ApiClient, caplog: pytest.LogCaptureFixture, path: str) -> None:
        with _database_altered("CONNECTION LIMIT 0", "CONNECTION LIMIT -1"):
            _unavailable(api.get(path), says=AWAY, caplog=caplog, sqlstate="")
        assert api.get(path).status_code == 200

    @pytest.mark.parametrize("path", ["/v1/accounts", "/healthz"])
    def test_that_there_is_no_server_is_503_and_shows_no_address(
        self,
        api: ApiClient,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        path: str,
    ) -> None:
        connection.close()
        with monkeypatch.context() as patch:
            patch.setitem(connection.settings_dict, "HOST", str(tmp_path))
            response = api.get(path)
        _unavailable(response, says=AWAY, caplog=caplog, sqlstate="")
        assert str(tmp_path) not in response.content.decode()


@committed
class TestHealth:
    def test_is_none_while_the_database_takes_no_changes(
        self, api: ApiClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        with _no_changes():
            _unavailable(api.get("/healthz"), says=READ_ONLY, caplog=caplog, sqlstate="")
        assert api.get("/healthz").json() == {"status": "ok"}


@committed
class TestABug:
    @pytest.mark.parametrize("sqlstate", ["42P01", "42501", "22003", "XX000"])
    def test_of_ours_is_500_still_with_its_traceback(
        self,
        api: ApiClient,
        account: Account,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        sqlstate: str,
    ) -> None:
        def broken(**kwargs: Any) -> Entry:
            _executed(f"DO $$ BEGIN RAISE EXCEPTION 'of row 1' USING ERRCODE = '{sqlstate}'; END $$")
            raise AssertionError

        monkeypatch.setattr("api.v1.credits.grant_credit", broken)
        with nothing_moves():
            response = api.post(f"/v1/accounts/{account.id}/credits", SORRY, once="one")
            problem_of(response, status=500, slug="internal-error")
        (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
        assert record.exc_info
