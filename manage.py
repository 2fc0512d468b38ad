#!/usr/bin/env python3
"""Django's commands. Without a DATABASE_URL the embedded database is attached before the settings load."""

import os
import sys
from pathlib import Path

import environ


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
    environ.Env.read_env(Path(__file__).resolve().parent / ".env", overwrite=False)
    try:
        from localcloud.platform.preparation import prepare
    except ModuleNotFoundError:
        # Only a clone has `localcloud`, and its packages come with requirements/local.txt.
        if not os.environ.get("DATABASE_URL") and not os.environ.get("DATABASE_SECRET_ARN"):
            sys.exit("error: set DATABASE_URL: there is no embedded database here (requirements/local.txt brings it)")
    else:
        prepare(argv=sys.argv[1:])

    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import Error

    from billing_site.command_errors import explained
    from billing_site.errors import UnableToStart
    from billing_site.lambda_function.duties import duties
    from billing_site.secrets.store import UnableToReadSecret

    try:
        # Loads the settings. Django would tell what is wrong with them by a traceback.
        duties()
    except (ImproperlyConfigured, UnableToReadSecret, UnableToStart) as refusal:
        sys.exit(f"error: {' '.join(str(refusal).split())}")
    try:
        execute_from_command_line(sys.argv)
    except Error as error:
        if not (line := explained(error)):
            raise
        sys.exit(f"error: {line}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does. Python would fail once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


if __name__ == "__main__":
    main()
