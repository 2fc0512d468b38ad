"""`manage.py create_api_key NAME --scope S ... [--expires DATE]`, or `--replaces KEY`."""

import datetime
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts import clock
from accounts.command_options import add_data_option
from accounts.errors import OperationError
from api.fields import day_from
from api.keys import create_api_key, replace_api_key
from api.models import ApiKey, Scope


def _end_of(text: str) -> datetime.datetime:
    """The first instant after the day, in the billing time zone."""
    day = day_from(text)
    if day is None or day == datetime.date.max:
        raise ArgumentTypeError(f"{text!r} is not a date, YYYY-MM-DD")
    midnight = datetime.time(tzinfo=ZoneInfo(settings.BILLING_TIME_ZONE))
    return datetime.datetime.combine(day + datetime.timedelta(days=1), midnight)


class Command(BaseCommand):
    help = "Create an API key and print it. It is shown only this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="who the key is for; what it does is signed with this name")
        parser.add_argument("--scope", nargs="+", action="extend", choices=Scope.values, help="what it may do")
        parser.add_argument(
            "--replaces",
            metavar="KEY",
            help="create it for the client of this key (its first 12 characters or its id), with the same name and "
            "scopes unless others are given; the client's Idempotency-Keys are valid with both, and the old key works "
            "until it is revoked or expires",
        )
        parser.add_argument(
            "--expires",
            type=_end_of,
            metavar="DATE",
            help="the last day on which it works; without it the key doesn't expire. Needed to replace a key that does",
        )
        add_data_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key, secret = self._made(options)
        except OperationError as refusal:
            raise CommandError(" ".join([refusal.detail, *refusal.errors.values()])) from None
        until = f"until {key.expires_at.isoformat()}" if key.expires_at else "until it is revoked"
        self.stderr.write(f"{key.name}: {', '.join(key.scopes)}, {until}. Only its hash is stored: copy it now.")
        if options["replaces"]:
            self.stderr.write(
                "The old key still works: revoke it when its client has this one "
                f"(`manage.py revoke_api_key {options['replaces']}`)."
            )
        # The key alone on stdout, so that a script can take it.
        self.stdout.write(secret)

    def _made(self, options: dict[str, Any]) -> tuple[ApiKey, str]:
        if options["replaces"]:
            return replace_api_key(
                prefix_or_id=options["replaces"],
                name=options["name"],
                scopes=options["scope"],
                expires_at=options["expires"],
                now=clock.now(),
            )
        if not options["name"] or not options["scope"]:
            raise CommandError("Give a NAME and its --scope, or the key that it --replaces.")
        return create_api_key(
            name=options["name"], scopes=options["scope"], expires_at=options["expires"], now=clock.now()
        )
