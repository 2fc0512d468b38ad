"""`manage.py migrate` runs as the database's owner; nothing else does."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate

from accounts.command_options import add_data_option


class Command(migrate.Command):
    help = migrate.Command.help + " Uses the owner's role (DATABASE_OWNER_URL)."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")
        add_data_option(parser)

    def execute(self, *args: Any, **options: Any) -> str | None:
        # Before `handle`: the checks that run first ask the database too.
        if options["database"] == "owner" and "owner" not in settings.DATABASES:
            raise CommandError("Migrations need the owner's role: set DATABASE_OWNER_URL.")
        return super().execute(*args, **options)
