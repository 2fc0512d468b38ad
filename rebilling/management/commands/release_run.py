"""`manage.py release_run RUN --reason R`: releases a HELD run, so that it is charged."""

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import clock
from accounts.command_options import add_data_option
from accounts.errors import OperationError
from payments.messages.queue import QueueNotConfigured, configured_queue
from rebilling.reconciliation.presentation import as_text
from rebilling.reconciliation.summary import reconciliation_of
from rebilling.run_review import release_run

AUTHOR = "command:release_run"


class Command(BaseCommand):
    help = (
        "Release a run that the volume check holds, so that it is sent and charged. docs/volume_check.md says what to "
        "check first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=uuid.UUID, help="the run's id")
        parser.add_argument("--reason", required=True, help="who decided, and why; kept with the run")
        add_data_option(parser)

    def handle(self, *args: Any, run: uuid.UUID, reason: str, **options: Any) -> None:
        now = clock.now()
        try:
            released = release_run(run_id=run, reason=reason, author=AUTHOR, now=now, queue=configured_queue())
        except (OperationError, QueueNotConfigured) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(as_text(reconciliation_of(run=released, now=now)))
