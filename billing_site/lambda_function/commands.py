"""`zappa manage`: an event may name a command of the function's own list, and no other."""

import io
import logging
import shlex
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import Error

from billing_site.command_errors import explained
from billing_site.errors import UnroutedEvent
from billing_site.lambda_function.duties import Duty, duties

logger = logging.getLogger(__name__)

ALLOWED = {
    Duty.API: frozenset({"axes_reset_username", "check", "create_api_key", "create_login", "revoke_api_key"}),
    Duty.WORKER: frozenset({"cancel_run", "reconcile", "check", "redrive_dlq", "release_run", "sweep"}),
    Duty.MIGRATE: frozenset({"check", "migrate", "prepare_database", "showmigrations"}),
}
ANSWERED_ONLY = frozenset({"create_api_key", "create_login"})
"""They print a secret, which goes into the answer to the invocation and not into the log."""


def run_command(line: str) -> dict[str, Any]:
    """Runs a command line of an allowed command, with quotes as a shell has them, and answers with what it printed.

    Raises `UnroutedEvent` for a command that isn't allowed here, `CommandError` in one line for the database's trouble,
    and what else the command raises.
    """
    try:
        name, *arguments = shlex.split(line)
    except ValueError as error:
        raise UnroutedEvent(f"not a command line: {error}") from None
    if name not in frozenset[str]().union(*(ALLOWED[duty] for duty in duties())):
        raise UnroutedEvent(f"the command {name!r} isn't for a function with the duty {', '.join(sorted(duties()))}")
    output = io.StringIO()
    try:
        call_command(name, *arguments, stdout=output, stderr=output, no_color=True)
    except SystemExit as leaving:
        # A wrong option. Lambda would take the exit for a crash.
        raise CommandError(f"{name} left with {leaving.code}: {output.getvalue().strip()}") from None
    except Error as error:
        if not (trouble := explained(error)):
            raise
        raise CommandError(trouble) from None
    finally:
        if name not in ANSWERED_ONLY:
            # `zappa manage` shows the end of the log.
            print(output.getvalue(), end="", flush=True)  # noqa: T201
    return {"output": output.getvalue()}
