"""A PostgreSQL of its own for a benchmark: made for the run, durable, and removed after it."""

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def benchmark_database() -> Iterator[None]:
    """Django set up on an empty, migrated database, logging nothing below errors."""
    with tempfile.TemporaryDirectory(prefix="billing-bench-") as folder:
        os.environ.pop("DATABASE_URL", None)
        from localcloud.postgres.embedded import attach
        from localcloud.postgres.server import stop

        attach(data=Path(folder))
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
        # Runs of one day, each many times the one before, and all of them are to be sent.
        os.environ["VOLUME_CHECK_MULTIPLE"] = os.environ["VOLUME_CHECK_FIRST_PERIODS"] = "0"
        # As many requests as it likes; they are counted all the same.
        os.environ["API_CLIENT_REQUESTS_PER_MINUTE"] = os.environ["API_ADDRESS_REQUESTS_PER_MINUTE"] = "1000000"
        import django

        from billing_site.lambda_function.garbage import collect_seldom

        django.setup()
        logging.disable(logging.WARNING)
        from django.core.management import call_command
        from django.db import connections

        call_command("migrate", verbosity=0)
        # As a function's start does.
        collect_seldom()
        try:
            yield
        finally:
            connections.close_all()
            # Before its folder goes, without which nobody could.
            stop(cluster=Path(folder) / "postgres")


@contextmanager
def superuser() -> Iterator[Any]:
    """A cursor of the server's superuser, on the benchmark's database; committed when the block ends."""
    with _session() as session, session, session.cursor() as cursor:
        yield cursor


def vacuum() -> None:
    """Clear up, and count anew what the planner goes by, as autovacuum does; the application's role may not."""
    with _session() as session:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")


def processor_seconds() -> float:
    """Seconds of the processors that the server has taken since it began."""
    import psutil  # type: ignore[import-untyped]

    with superuser() as cursor:
        cursor.execute("SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)::int")
        postmaster = psutil.Process(cursor.fetchone()[0])
    times = postmaster.cpu_times()
    total = float(times.user + times.system + times.children_user + times.children_system)
    for backend in postmaster.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            spent = backend.cpu_times()
            total += spent.user + spent.system
    return total


@contextmanager
def _session() -> Iterator[Any]:
    import psycopg2
    from django.db import connection

    connection.ensure_connection()
    at = connection.connection.info
    with closing(psycopg2.connect(host=at.host, user="postgres", dbname=at.dbname)) as session:
        yield session
