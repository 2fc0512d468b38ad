"""Migrations whose SQL lies beside them in `NAME.up.sql` and `NAME.down.sql`. An applied file is never edited."""

from pathlib import Path

from django.conf import settings
from django.db.migrations import RunSQL


def sql_files(migration_file: str) -> RunSQL:
    """The operation that runs the pair of files named as the migration.

    `:application_role` in them is the role that the application connects as (`DATABASE_APPLICATION_ROLE`). Roles
    belong to the cluster and are made before; migrations only set what they may do.
    """
    role = '"' + settings.DATABASE_APPLICATION_ROLE.replace('"', '""') + '"'
    path = Path(migration_file)
    up, down = (
        path.with_name(f"{path.stem}.{way}.sql").read_text(encoding="utf-8").replace(":application_role", role)
        for way in ("up", "down")
    )
    return RunSQL(up, down)
