"""`manage.py reconcile [RUN] [--json]`: what the hourly schedule does, or one run's reconciliation."""

import datetime
import json
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import clock
from accounts.command_options import add_data_option
from accounts.wording import counted
from rebilling.hourly_check import HourlyCheck, check_hourly
from rebilling.messages.queue import QueueNotConfigured, configured_queue
from rebilling.models import Run
from rebilling.reconciliation.presentation import as_json, as_text
from rebilling.reconciliation.reconcile import reconcile


class Command(BaseCommand):
    help = "Reconcile a run, or all open ones, and send leftovers again. Exits 1 if anything is unexplained."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", nargs="?", type=uuid.UUID, help="the run's id; all open runs without one")
        parser.add_argument("--json", action="store_true", help="print the reconciliations as a JSON list")
        add_data_option(parser)

    def handle(self, *args: Any, run: uuid.UUID | None, **options: Any) -> None:
        now = clock.now()
        check = self._check_all(now) if run is None else self._reconcile_one(run, now)
        if options["json"]:
            self.stdout.write(
                json.dumps([as_json(reconciliation) for reconciliation in check.reconciliations], indent=2)
            )
        else:
            self.stdout.write("\n\n".join(map(as_text, check.reconciliations)) or "No run is open.")
        if check.sent:
            self.stderr.write(f"Leftovers were sent again in {counted(check.sent, 'message')}.")
        for failure in check.failed:
            self.stderr.write(f"Failed: {' '.join(failure.split())}")
        if check.unexplained:
            what = "period is" if check.unexplained == 1 else "periods are"
            raise CommandError(f"{check.unexplained:,} {what} unexplained.")
        if check.failed:
            raise CommandError(f"{counted(len(check.failed), 'step')} of the check failed.")

    def _reconcile_one(self, run_id: uuid.UUID, now: datetime.datetime) -> HourlyCheck:
        run = Run.objects.filter(id=run_id).first()
        if run is None:
            raise CommandError(f"There is no run {run_id}.")
        return HourlyCheck(reconciliations=reconcile(runs=[run], now=now))

    def _check_all(self, now: datetime.datetime) -> HourlyCheck:
        """Without a queue the runs are still reconciled: that needs only the database."""
        try:
            return check_hourly(queue=configured_queue(), now=now)
        except QueueNotConfigured as error:
            check = check_hourly(queue=None, now=now)
            self.stderr.write(f"Leftovers were not sent again: {error}")
            return check
