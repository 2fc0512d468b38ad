"""`manage.py runlocal`: the whole platform on this machine, without demonstration data."""

import datetime
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.command_options import add_data_option
from localcloud.arguments import add_today_option
from localcloud.errors import UnableToStart
from localcloud.platform.preparation import clock_line, command_line, data_folder
from localcloud.platform.runner import foundation, serve
from localcloud.ports import DEFAULT_PORT
from localcloud.simulated_stripe import gateway
from localcloud.web_server import address, listening


class Command(BaseCommand):
    help = "Runs the platform on this machine until Ctrl-C: PostgreSQL, SQS and its poller, schedules, API and admin."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="of 127.0.0.1; 0 takes any")
        add_today_option(parser)
        add_data_option(parser)
        parser.add_argument(
            "--simulated-provider",
            action="store_true",
            help="collect through the Stripe adapter, from a payment provider that is simulated on this machine",
        )

    def handle(self, *, port: int, today: datetime.date | None, simulated_provider: bool, **options: Any) -> None:
        data = data_folder()
        provider = gateway.simulated_provider() if simulated_provider else nullcontext("")
        try:
            with listening(port=port) as server, provider as records, foundation(data=data, today=today):
                serve(data=data, server=server, announce=lambda: self._announce(address(server=server), data, records))
        except UnableToStart as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write("stopped")

    def _announce(self, base: str, data: Path, records: str) -> None:
        lines = (
            f"The billing platform is running, with its data in {data}",
            f"  API     {base}/v1/",
            f"  docs    {base}/v1/docs",
            f"  admin   {base}/admin/   (a login: {command_line('create_login NAME --email E')})",
            f"  log     {data / 'platform.log'}",
            *clock_line(label="day     "),
            *([f"  taken   {records}   (by the simulated provider)"] if records else []),
            "Ctrl-C stops it.",
        )
        self.stdout.write("\n".join(lines))
        self.stdout.flush()
