"""`manage.py cancel_run RUN [--parked] --reason R`: gives up a HELD run, or only the parked periods of any."""

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import clock
from accounts.command_options import add_data_option
from accounts.refusals import Refusal
from rebilling.certificate import certificate
from rebilling.held import cancel_run
from rebilling.parked import cancel_parked
from rebilling.presentation import as_text

AUTHOR = "command:cancel_run"


class Command(BaseCommand):
    help = (
        "Cancel a run that the brake holds, or only the parked periods of any run: nothing of them is charged, and the "
        "next sweep finds again what is due."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=uuid.UUID, help="the run's id")
        parser.add_argument(
            "--parked", action="store_true", help="only its parked periods, also of a run that was let through"
        )
        parser.add_argument("--reason", required=True, help="who decided, and why; kept with the run")
        add_data_option(parser)

    def handle(self, *args: Any, run: uuid.UUID, parked: bool, reason: str, **options: Any) -> None:
        now = clock.now()
        cancel = cancel_parked if parked else cancel_run
        try:
            cancelled = cancel(run_id=run, reason=reason, author=AUTHOR, now=now)
        except Refusal as error:
            raise CommandError(str(error)) from error
        self.stdout.write(as_text(certificate(run=cancelled, now=now)))
