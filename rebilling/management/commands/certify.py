"""`manage.py certify [RUN] [--json]`: what the hourly schedule does, or one run's certificate."""

import json
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from rebilling.certify import certify, open_runs, send_leftovers
from rebilling.models import Run
from rebilling.presentation import as_json, as_text
from rebilling.queue import QueueNotConfigured, UnableToSend, configured_queue


class Command(BaseCommand):
    help = "Certify a run, or all open ones, and send leftovers again. Exits 1 if anything is unexplained."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", nargs="?", type=uuid.UUID, help="the run's id; all open runs without one")
        parser.add_argument("--json", action="store_true", help="print the certificates as a JSON list")
        parser.add_argument("--data", help="the embedded database's folder, when no DATABASE_URL is set")

    def handle(self, *args: Any, run: uuid.UUID | None, **options: Any) -> None:
        now = timezone.now()
        if run is None:
            runs = open_runs()
        else:
            runs = list(Run.objects.filter(id=run))
            if not runs:
                raise CommandError(f"There is no run {run}.")
        certificates = certify(runs=runs, now=now)
        if run is None:
            self._send_leftovers()
        if options["json"]:
            self.stdout.write(json.dumps([as_json(certificate) for certificate in certificates], indent=2))
        else:
            self.stdout.write("\n\n".join(map(as_text, certificates)) or "No run is open.")
        unexplained = sum(certificate.unexplained.periods for certificate in certificates)
        if unexplained:
            raise CommandError(f"{unexplained:,} periods are unexplained.")

    def _send_leftovers(self) -> None:
        """Without a queue the runs are certified all the same: a certificate reads rows alone."""
        try:
            sent = send_leftovers(queue=configured_queue(), now=timezone.now())
        except (QueueNotConfigured, UnableToSend) as error:
            self.stderr.write(f"Leftovers were not sent again: {error}")
        else:
            if sent:
                self.stderr.write(f"Leftovers were sent again in {sent:,} messages.")
