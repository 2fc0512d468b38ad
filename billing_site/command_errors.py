"""What a command says of an error of the database that an operator can do something about: one line, no traceback."""

from django.db import Error

from accounts.database_trouble import database_trouble, sqlstate_of, told_in_a_line

UNDEFINED_TABLE, UNDEFINED_COLUMN = "42P01", "42703"


def explained(error: Error) -> str:
    """The line, or an empty string for an error that is a bug."""
    if trouble := database_trouble(error):
        return f"{trouble} ({told_in_a_line(error)})"
    if sqlstate_of(error) in {UNDEFINED_TABLE, UNDEFINED_COLUMN}:
        return f"The database lacks this release's tables: run `manage.py migrate`. ({told_in_a_line(error)})"
    return ""
