"""`manage.py create_login USERNAME --email EMAIL`: creates a superuser without prompting for a password."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.command_options import add_data_option
from accounts.errors import OperationError
from backoffice.logins import create_superuser, reset_password


class Command(BaseCommand):
    help = "Create a superuser of the admin, or with --reset a new password for a login. Prints the password once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="signs what this person does")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--email", help="of the new superuser")
        what.add_argument("--reset", action="store_true", help="a new password for an existing login")
        add_data_option(parser)

    def handle(self, *args: Any, username: str, email: str | None, **options: Any) -> None:
        try:
            if email is None:
                password = reset_password(username=username)
            else:
                password = create_superuser(username=username, email=email)
        except OperationError as error:
            raise CommandError(" ".join([error.detail, *error.errors.values()])) from error
        self.stdout.write(f"{username}: note the password now, and change it at /admin/password_change/.")
        self.stdout.write(password)
