"""`manage.py cancel_run RUN --reason R`: gives a HELD run up."""

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.refusals import Refusal
from rebilling.certificate import certificate
from rebilling.held import cancel_run
from rebilling.presentation import as_text

AUTHOR = "command:cancel_run"


class Command(BaseCommand):
    help = "Cancel a run that the brake holds: nothing of it is charged, and the next sweep finds again what is due."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=uuid.UUID, help="the run's id")
        parser.add_argument("--reason", required=True, help="who decided, and why; kept with the run")
        parser.add_argument("--data", help="the embedded database's folder, when no DATABASE_URL is set")

    def handle(self, *args: Any, run: uuid.UUID, reason: str, **options: Any) -> None:
        now = timezone.now()
        try:
            cancelled = cancel_run(run_id=run, reason=reason, author=AUTHOR, now=now)
        except Refusal as error:
            raise CommandError(str(error)) from error
        self.stdout.write(as_text(certificate(run=cancelled, now=now)))
