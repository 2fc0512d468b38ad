"""Errors of the driver, by SQLSTATE: which are the database's own trouble."""

import psycopg2.errorcodes
import pytest
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, InternalError, OperationalError
from django.db.utils import ProgrammingError

from accounts.database_errors import database_is_unreachable, database_trouble, one_line, sqlstate_of


class _OfTheDriver(Exception):
    """What psycopg2 raises: `pgcode` is the SQLSTATE, or None."""

    def __init__(self, pgcode: str | None) -> None:
        super().__init__("something\n  happened")
        self.pgcode = pgcode


def _error(kind: type[Exception], sqlstate: str | None) -> Exception:
    """As Django has it: its own error, with the driver's as the cause."""
    error = kind("something\n  happened")
    error.__cause__ = _OfTheDriver(sqlstate)
    return error


class TestDatabaseTrouble:
    @pytest.mark.parametrize(
        ("kind", "sqlstate", "says"),
        [
            (OperationalError, None, "The database refuses connections, or can't be reached."),
            (InterfaceError, None, "The database refuses connections, or can't be reached."),
            (OperationalError, "08006", "The database can't be reached."),
            (InternalError, "25006", "The database is read-only."),
            (OperationalError, "40001", "The database had two changes at once that don't go together."),
            (OperationalError, "40P01", "The database had two changes at once that waited for each other."),
            (OperationalError, "53100", "The database's disk is full."),
            (OperationalError, "53200", "The database is out of memory."),
            (OperationalError, "53300", "The database has no connection left."),
            (OperationalError, "53400", "The database is out of resources."),
            (OperationalError, "55P03", "The database had a row or a table locked for too long."),
            (OperationalError, "57014", "The database took too long."),
            (OperationalError, "57P01", "The database is restarting."),
            (OperationalError, "57P03", "The database is restarting."),
            (OperationalError, "58030", "The database's server has an internal fault."),
        ],
    )
    def test_is_recognized_by_sqlstate(self, kind: type[Exception], sqlstate: str | None, says: str) -> None:
        assert database_trouble(_error(kind, sqlstate)) == says
        assert sqlstate_of(_error(kind, sqlstate)) == (sqlstate or "")

    @pytest.mark.parametrize(
        ("kind", "sqlstate"),
        [
            (IntegrityError, "23505"),
            (IntegrityError, "23514"),
            (DataError, "22003"),
            (ProgrammingError, "42P01"),
            (ProgrammingError, "42501"),
            (InternalError, "25P02"),
            (InternalError, "XX000"),
            (DatabaseError, None),
            (ProgrammingError, None),
            (ValueError, None),
        ],
    )
    def test_is_not_what_we_got_wrong(self, kind: type[Exception], sqlstate: str | None) -> None:
        assert database_trouble(_error(kind, sqlstate)) == ""

    def test_is_none_without_an_error(self) -> None:
        assert database_trouble(None) == ""

    def test_knows_the_drivers_own_errors_too(self) -> None:
        assert database_trouble(_OfTheDriver("53300")) == "The database has no connection left."

    def test_goes_by_codes_that_postgresql_has(self) -> None:
        assert psycopg2.errorcodes.lookup("25006") == "READ_ONLY_SQL_TRANSACTION"
        assert psycopg2.errorcodes.lookup("53100") == "DISK_FULL"
        assert psycopg2.errorcodes.lookup("53300") == "TOO_MANY_CONNECTIONS"
        assert psycopg2.errorcodes.lookup("57P01") == "ADMIN_SHUTDOWN"


class TestDatabaseIsUnreachable:
    @pytest.mark.parametrize(
        ("kind", "sqlstate", "unreachable"),
        [
            (OperationalError, None, True),
            (InterfaceError, None, True),
            (OperationalError, "08006", True),
            (OperationalError, "57P01", True),
            (OperationalError, "57014", False),
            (OperationalError, "53300", False),
            (InternalError, "25006", False),
            (ProgrammingError, None, False),
            (ValueError, None, False),
        ],
    )
    def test_is_known_by_sqlstate(self, kind: type[Exception], sqlstate: str | None, unreachable: bool) -> None:
        assert database_is_unreachable(_error(kind, sqlstate)) is unreachable


class TestOneLine:
    def test_is_one_line(self) -> None:
        assert one_line(_OfTheDriver("57P01")) == "something happened"
