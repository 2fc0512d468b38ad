"""SQL in files of its own: statements in `sql/NAME.sql` beside their caller, and migrations' pairs of files."""

from functools import cache
from pathlib import Path

from django.conf import settings
from django.db.migrations import RunSQL


def query(module_file: str, name: str, **identifiers: str) -> str:
    """The statement in `sql/NAME.sql` beside the module. Each file is read once.

    With identifiers, each `{identifier}` in the statement becomes the quoted name of a table or a column. Values are
    parameters of the statement, never part of its text.
    """
    statement = _text(Path(module_file).parent.joinpath("sql", f"{name}.sql"))
    return (
        statement.format_map({key: _quoted(value) for key, value in identifiers.items()}) if identifiers else statement
    )


def sql_files(migration_file: str) -> RunSQL:
    """A migration's operation: runs NAME.up.sql, and NAME.down.sql to go back. An applied file is never edited.

    `:application_role` in them is the role that the application connects as (`DATABASE_APPLICATION_ROLE`). Roles
    belong to the cluster and exist before; migrations only grant to them.
    """
    role = _quoted(settings.DATABASE_APPLICATION_ROLE)
    path = Path(migration_file)
    up, down = (
        path.with_name(f"{path.stem}.{way}.sql").read_text(encoding="utf-8").replace(":application_role", role)
        for way in ("up", "down")
    )
    return RunSQL(up, down)


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
