"""`manage.py revoke_api_key KEY`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import clock
from accounts.command_options import add_data_option
from accounts.errors import OperationError
from api.keys import revoke_api_key


class Command(BaseCommand):
    help = "Revoke an API key, from now on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help="its first 12 characters (sk_ and nine more) or its id; not the whole key")
        add_data_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = revoke_api_key(prefix_or_id=options["key"], now=clock.now())
        except OperationError as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(f"{key} is revoked.")
