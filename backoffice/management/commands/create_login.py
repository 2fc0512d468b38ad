"""`manage.py create_login USERNAME --email EMAIL`, where no terminal can ask for a password."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.command_options import add_data_option
from accounts.refusals import Refusal
from backoffice.logins import make_superuser, reset_password


class Command(BaseCommand):
    help = "Make a superuser of the admin and print the password, or with --reset give a login a new one. Shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="what this person does is signed with it")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--email", help="of the new superuser")
        what.add_argument("--reset", action="store_true", help="a new password for a login that is there")
        add_data_option(parser)

    def handle(self, *args: Any, username: str, email: str | None, **options: Any) -> None:
        try:
            if email is None:
                password = reset_password(username=username)
            else:
                password = make_superuser(username=username, email=email)
        except Refusal as error:
            raise CommandError(" ".join([error.detail, *error.errors.values()])) from error
        self.stdout.write(f"{username}: note the password now, and change it under /admin/password_change/.")
        self.stdout.write(password)
