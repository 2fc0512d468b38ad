"""A PostgreSQL of its own for a benchmark: made for the run, durable, and removed after it."""

import gc
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
        import django

        django.setup()
        logging.disable(logging.WARNING)
        from django.core.management import call_command
        from django.db import connections

        call_command("migrate", verbosity=0)
        # As a function's start does.
        gc.freeze()
        try:
            yield
        finally:
            connections.close_all()
            # Before its folder goes, without which nobody could.
            stop(cluster=Path(folder) / "postgres")
