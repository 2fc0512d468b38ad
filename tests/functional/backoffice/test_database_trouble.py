"""The admin's pages while the database is in trouble: a plain page that says so, and no traceback in the log."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from accounts.models import Account
from ledger.models import Entry
from tests.builders import an_account
from tests.support.databases import rolled_back


@pytest.fixture
def account(db: None) -> Account:
    return an_account()


@pytest.fixture
def no_changes(operator: Client, account: Account) -> Iterator[None]:
    """From here on, as after a failover. The end of the savepoint is the end of it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        yield
        transaction.set_rollback(True)


@rolled_back
@pytest.mark.usefixtures("no_changes")
class TestDatabaseTrouble:
    def test_during_an_action_is_a_plain_503(
        self, operator: Client, account: Account, caplog: pytest.LogCaptureFixture
    ) -> None:
        operator.raise_request_exception = False
        path = f"/admin/accounts/account/{account.id}/close/"
        response = operator.post(path, {"reason": "left", "when": "now"})
        assert (response.status_code, response["Content-Type"], response["Retry-After"]) == (
            503,
            "text/html; charset=utf-8",
            "5",
        )
        assert "The database is read-only. Try again in some seconds." in response.content.decode()
        assert "Traceback" not in response.content.decode()
        (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert (record.levelname, record.exc_info) == ("ERROR", None)
        assert record.getMessage() == f"POST {path}: The database is read-only."
        account.refresh_from_db()
        assert (account.status, Entry.objects.count()) == ("PENDING", 0)

    def test_while_the_session_is_saved_is_a_503_too(
        self, operator: Client, settings: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        operator.raise_request_exception = False
        settings.SESSION_SAVE_EVERY_REQUEST = True
        response = operator.get("/admin/")
        assert (response.status_code, response["Retry-After"]) == (503, "5")
        (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert (record.getMessage(), record.exc_info) == ("GET /admin/: The database is read-only.", None)
