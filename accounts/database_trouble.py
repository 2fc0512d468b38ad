"""Whether an error is the database's own trouble: it is away, full, read-only, busy or restarting.

Nobody's request and no code of ours is wrong then, and what was tried may be tried again. Told by SQLSTATE, as the
manual lists them (Appendix A, PostgreSQL Error Codes), and never by an error's text. One without a code is about the
connection.
"""

from collections.abc import Iterator

from django.db import InterfaceError, OperationalError

_BY_SQLSTATE = {
    "25006": "The database is read-only.",
    "25P03": "The database took too long.",
    "25P04": "The database took too long.",
    "40001": "The database had two changes at once that don't go together.",
    "40P01": "The database had two changes at once that waited for each other.",
    "53100": "The database's disk is full.",
    "53200": "The database is out of memory.",
    "53300": "The database has no connection left.",
    "55P03": "The database had a row or a table locked for too long.",
    "57014": "The database took too long.",
}
_BY_CLASS = {
    "08": "The database can't be reached.",
    "53": "The database is out of resources.",
    "57": "The database is restarting.",
    "58": "The database's server has a fault of its own.",
}
_WITHOUT_CODE = "The database refuses connections, or can't be reached."
"""The driver drops the server's code when it can't connect, so that a server without a connection left, one that is
starting and none at all look alike. What the server said is in the error's text.
"""


def sqlstate_of(error: BaseException | None) -> str:
    """The error's SQLSTATE, or an empty string: an error of a connection that can't be had, or that broke, has none."""
    return next((code for below in _below(error) if (code := getattr(below, "pgcode", None))), "")


def database_trouble(error: BaseException | None) -> str:
    """What the database's trouble is, in a sentence, or an empty string for any other error."""
    if sqlstate := sqlstate_of(error):
        return _BY_SQLSTATE.get(sqlstate) or _BY_CLASS.get(sqlstate[:2], "")
    return _WITHOUT_CODE if any(isinstance(below, OperationalError | InterfaceError) for below in _below(error)) else ""


def database_is_away(error: BaseException | None) -> bool:
    """Whether nothing can be asked of the database at all, so that there is no use in going on with something else."""
    if sqlstate := sqlstate_of(error):
        return sqlstate.startswith(("08", "57P"))
    return bool(database_trouble(error))


def _below(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those that it was raised of: Django's have the driver's as their cause, and a session that can't be
    saved has Django's below its own.
    """
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def told_in_a_line(error: BaseException) -> str:
    """The error's own words, which may run over lines, in one."""
    return " ".join(str(error).split())
