"""`manage.py release_run RUN --reason R`: lets a HELD run be sent."""

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import clock
from accounts.command_options import add_data_option
from accounts.refusals import Refusal
from rebilling.certificate import certificate
from rebilling.held import release_run
from rebilling.presentation import as_text
from rebilling.queue import QueueNotConfigured, configured_queue

AUTHOR = "command:release_run"


class Command(BaseCommand):
    help = "Let a run that the brake holds be sent and charged. docs/brake.md says what to look at before."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=uuid.UUID, help="the run's id")
        parser.add_argument("--reason", required=True, help="who decided, and why; kept with the run")
        add_data_option(parser)

    def handle(self, *args: Any, run: uuid.UUID, reason: str, **options: Any) -> None:
        now = clock.now()
        try:
            released = release_run(run_id=run, reason=reason, author=AUTHOR, now=now, queue=configured_queue())
        except (Refusal, QueueNotConfigured) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(as_text(certificate(run=released, now=now)))
