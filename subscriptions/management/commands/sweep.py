"""`manage.py sweep --as-of DATE|today [--dry-run]`: sweeps once."""

import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import clock
from accounts.billing_day import billing_day
from accounts.command_options import add_data_option, billing_date
from payments.messages.queue import QueueNotConfigured, UnableToSend, configured_queue
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.presentation import amounts_of, as_text
from rebilling.reconciliation.summary import Tally, reconciliation_of
from rebilling.sweep import DateInFuture, check_not_in_future, find_due
from rebilling.volume_check import count_account, predict_hold
from rebilling.volume_limits import Size
from subscriptions.daily_run import preview_day, run_day


class Command(BaseCommand):
    help = (
        "Find every period due by a date and send it to be charged. Exits 1 if the volume check holds the run, 2 if "
        "the date is in the future."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--as-of",
            required=True,
            type=_day,
            metavar="DATE",
            help="YYYY-MM-DD, or today: the day in the billing time zone",
        )
        parser.add_argument("--dry-run", action="store_true", help="print what would be due; write nothing")
        add_data_option(parser)

    def handle(self, *args: Any, as_of: datetime.date, dry_run: bool, **options: Any) -> None:
        now = clock.now()
        try:
            # Checked first: a date in the future is an error of its own, with or without a queue.
            check_not_in_future(as_of=as_of, now=now)
            if dry_run:
                with preview_day(as_of=as_of, now=now):
                    self._print_due(as_of, now)
                return
            run = run_day(as_of=as_of, queue=configured_queue(), now=now)
        except DateInFuture as error:
            raise CommandError(str(error), returncode=2) from error
        except (QueueNotConfigured, UnableToSend) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(as_text(reconciliation_of(run=run, now=now)))
        if run.status == Run.Status.HELD:
            raise CommandError(
                f"The run is held. Check it, then run `manage.py release_run {run.id} --reason R` or `manage.py "
                f"cancel_run {run.id} --reason R`."
            )

    def _print_due(self, as_of: datetime.date, now: datetime.datetime) -> None:
        due, parked, size = Tally(), Tally(), Size()
        for _, rows in groupby(find_due(as_of=as_of, now=now), key=attrgetter("account_id")):
            found = list(rows)
            count_account(size, found)
            for row in found:
                tally = parked if row.status == Rebilling.Status.PARKED else due
                tally.add(periods=1, amount_minor=row.amount_minor, currency=row.currency)
        self.stdout.write(f"As of {as_of} a sweep would find {due.periods:,} periods due: {amounts_of(due)}")
        if parked.periods:
            self.stdout.write(f"and park {parked.periods:,}: {amounts_of(parked)}")
        if reason := predict_hold(due=size, as_of=as_of, today=billing_day(now)):
            self.stdout.write(f"The volume check would hold it: {reason}")


def _day(text: str) -> datetime.date:
    return billing_day(clock.now()) if text == "today" else billing_date(text)
