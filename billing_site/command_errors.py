"""A command's message about a database error that an operator can fix: one line, no traceback."""

from django.db import Error

from accounts.database_errors import database_trouble, one_line, sqlstate_of

UNDEFINED_TABLE, UNDEFINED_COLUMN = "42P01", "42703"


def explained(error: Error) -> str:
    """The line, or an empty string for an error that is a bug."""
    if trouble := database_trouble(error):
        return f"{trouble} ({one_line(error)})"
    if sqlstate_of(error) in {UNDEFINED_TABLE, UNDEFINED_COLUMN}:
        return f"The database lacks this release's tables: run `manage.py migrate`. ({one_line(error)})"
    return ""
