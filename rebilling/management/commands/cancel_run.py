"""`manage.py cancel_run RUN [--parked] --reason R`: cancels a HELD run, or only the parked periods of any run."""

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import clock
from accounts.command_options import add_data_option
from accounts.errors import OperationError
from rebilling.parked_periods import cancel_parked
from rebilling.reconciliation.presentation import as_text
from rebilling.reconciliation.summary import reconciliation_of
from rebilling.run_review import cancel_run

AUTHOR = "command:cancel_run"


class Command(BaseCommand):
    help = (
        "Cancel a run that the volume check holds, or only the parked periods of any run. They are not charged, and "
        "the next sweep finds again what is due."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=uuid.UUID, help="the run's id")
        parser.add_argument(
            "--parked", action="store_true", help="cancel only its parked periods; the run need not be held"
        )
        parser.add_argument("--reason", required=True, help="who decided, and why; kept with the run")
        add_data_option(parser)

    def handle(self, *args: Any, run: uuid.UUID, parked: bool, reason: str, **options: Any) -> None:
        now = clock.now()
        cancel = cancel_parked if parked else cancel_run
        try:
            cancelled = cancel(run_id=run, reason=reason, author=AUTHOR, now=now)
        except OperationError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(as_text(reconciliation_of(run=cancelled, now=now)))
