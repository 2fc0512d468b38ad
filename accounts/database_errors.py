"""Whether an error is the database's own trouble: it is unreachable, full, read-only, busy or restarting.

Neither the request nor our code is at fault then, and the work may be tried again. Errors are classified by SQLSTATE
(PostgreSQL manual, Appendix A), never by their text. An error without a code is about the connection.
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
    "58": "The database's server has an internal fault.",
}
_WITHOUT_CODE = "The database refuses connections, or can't be reached."
"""The driver drops the server's code when it can't connect, so a server that has no connection left, one that is
starting and one that isn't there look alike. What the server said is in the error's text.
"""


def sqlstate_of(error: BaseException | None) -> str:
    """The error's SQLSTATE, or an empty string: a connection that can't be made, or that broke, has none."""
    return next((code for below in _below(error) if (code := getattr(below, "pgcode", None))), "")


def database_trouble(error: BaseException | None) -> str:
    """What the database's trouble is, in a sentence, or an empty string for any other error."""
    if sqlstate := sqlstate_of(error):
        return _BY_SQLSTATE.get(sqlstate) or _BY_CLASS.get(sqlstate[:2], "")
    return _WITHOUT_CODE if any(isinstance(below, OperationalError | InterfaceError) for below in _below(error)) else ""


def database_is_unreachable(error: BaseException | None) -> bool:
    """Whether the database can't be reached at all, so that there is no use in going on with something else."""
    if sqlstate := sqlstate_of(error):
        return sqlstate.startswith(("08", "57P"))
    return bool(database_trouble(error))


def _below(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes: Django's errors have the driver's as their cause, and an error of a session that can't
    be saved has Django's as its own.
    """
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def one_line(error: BaseException) -> str:
    """The error's own message, in one line."""
    return " ".join(str(error).split())
