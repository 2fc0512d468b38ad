"""`manage.py prepare_database`: the application's role, made or updated by the owner."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connections, transaction

from accounts.command_options import add_data_option
from billing_site.database.application_role import UnfitRole, prepare_role
from billing_site.database.credentials import Credentials
from billing_site.secrets.store import UnableToReadSecret


class Command(BaseCommand):
    help = (
        "Makes the role that the application connects as, with the password in its secret, or updates it. Before the "
        "first `manage.py migrate`, and again whenever the database and the secret disagree. Uses the owner's role."
    )
    # The checks of models and paths have nothing to say about a role.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_data_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        arn, role = settings.DATABASE_APPLICATION_SECRET_ARN, settings.DATABASE_APPLICATION_ROLE
        if "owner" not in settings.DATABASES:
            raise CommandError(
                "This needs the owner's role: run it in the migrating function, or set DATABASE_OWNER_URL."
            )
        if not arn:
            raise CommandError("Set DATABASE_APPLICATION_SECRET_ARN to the secret of the application's role.")
        try:
            credentials = Credentials.read(arn=arn)
            if credentials.username != role:
                raise CommandError(f"The secret names {credentials.username}, and DATABASE_APPLICATION_ROLE is {role}.")
            with transaction.atomic(using="owner"):
                made = prepare_role(owner=connections["owner"], credentials=credentials)
        except (UnableToReadSecret, UnfitRole) as error:
            raise CommandError(f"Nothing was changed: {error}.") from error
        except Error as error:
            what = str(error).strip().splitlines()[0]
            raise CommandError(f"Nothing was changed, for the database refuses: {what}") from error
        self.stdout.write(f"The role {role} was {'made' if made else 'updated'}, with the password in its secret.")
