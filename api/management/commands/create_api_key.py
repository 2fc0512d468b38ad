"""`manage.py create_api_key NAME --scope S ... [--expires DATE]`."""

import datetime
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.refusals import Refusal
from api.fields import day_from
from api.keys import create_api_key
from api.models import Scope


def _end_of(text: str) -> datetime.datetime:
    """The first instant after the day, in the billing time zone."""
    day = day_from(text)
    if day is None or day == datetime.date.max:
        raise ArgumentTypeError(f"{text!r} is not a date, YYYY-MM-DD")
    midnight = datetime.time(tzinfo=ZoneInfo(settings.BILLING_TIME_ZONE))
    return datetime.datetime.combine(day + datetime.timedelta(days=1), midnight)


class Command(BaseCommand):
    help = "Make an API key and print it. This is the only time that it can be seen."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="who the key is for; what it does is signed with this name")
        parser.add_argument(
            "--scope", nargs="+", action="extend", required=True, choices=Scope.values, help="what it may do"
        )
        parser.add_argument(
            "--expires", type=_end_of, metavar="DATE", help="the last day on which it works; without it, it doesn't end"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key, secret = create_api_key(
                name=options["name"], scopes=options["scope"], expires_at=options["expires"], now=timezone.now()
            )
        except Refusal as refusal:
            raise CommandError(f"{refusal.detail} {' '.join(refusal.errors.values())}") from None
        until = f"until {key.expires_at.isoformat()}" if key.expires_at else "until it is revoked"
        # The key alone on stdout, so that a script can take it.
        self.stderr.write(f"{key.name}: {', '.join(key.scopes)}, {until}. Kept as a hash: note it now.")
        self.stdout.write(secret)
