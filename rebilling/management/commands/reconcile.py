"""`manage.py reconcile [RUN]`: the work of the hourly schedule, one run's reconciliation, or one account's books."""

import datetime
import json
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import clock
from accounts.command_options import add_data_option
from accounts.locked_accounts import UnknownAccount
from accounts.phrases import counted
from payments.messages.queue import QueueNotConfigured, configured_queue
from rebilling.books import compare_account
from rebilling.hourly_check import HourlyCheck, check_hourly
from rebilling.models import Run
from rebilling.reconciliation.presentation import as_json, as_text
from rebilling.reconciliation.reconcile import reconcile


class Command(BaseCommand):
    help = (
        "Reconcile all open runs, send leftovers again, and compare the books; or reconcile one run, or compare the "
        "books of one account. Exits 1 if anything is unexplained, disagrees or failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", nargs="?", type=uuid.UUID, help="the run's id; all open runs without one")
        parser.add_argument("--json", action="store_true", help="print the reconciliations as a JSON list")
        parser.add_argument("--whole", action="store_true", help="compare the books of all accounts and runs")
        parser.add_argument("--account", type=uuid.UUID, metavar="ID", help="only compare the books of this account")
        add_data_option(parser)

    def handle(self, *args: Any, run: uuid.UUID | None, whole: bool, account: uuid.UUID | None, **options: Any) -> None:
        if sum(map(bool, (run, whole, account))) > 1:
            raise CommandError("Give only one of a run, --whole and --account.")
        if account:
            check = self._compare_one(account)
        elif run:
            check = self._reconcile_one(run, clock.now())
        else:
            check = self._check_all(clock.now(), whole)
        if options["json"]:
            self.stdout.write(
                json.dumps([as_json(reconciliation) for reconciliation in check.reconciliations], indent=2)
            )
        else:
            self._write(check, runs=not (whole or account))
        self._report_faults(check)

    def _report_faults(self, check: HourlyCheck) -> None:
        if check.sent:
            self.stderr.write(f"Leftovers were sent again in {counted(check.sent, 'message')}.")
        for failure in check.failed:
            self.stderr.write(f"Failed: {' '.join(failure.split())}")
        for discrepancy in check.discrepancies:
            self.stderr.write(f"The books don't agree: {discrepancy}")
        if check.discrepancies:
            raise CommandError(f"{counted(len(check.discrepancies), 'discrepancy', 'discrepancies')} in the books.")
        if check.unexplained:
            what = "period is" if check.unexplained == 1 else "periods are"
            raise CommandError(f"{check.unexplained:,} {what} unexplained.")
        if check.failed:
            raise CommandError(f"{counted(len(check.failed), 'step')} of the check failed.")

    def _write(self, check: HourlyCheck, *, runs: bool) -> None:
        said = [as_text(reconciliation) for reconciliation in check.reconciliations]
        if runs and not said:
            said.append("No run is open.")
        if check.books and not check.books.discrepancies:
            said.append(f"The books of {counted(check.books.accounts, 'account')} agree.")
        if said:
            self.stdout.write("\n\n".join(said))

    def _compare_one(self, account_id: uuid.UUID) -> HourlyCheck:
        try:
            return HourlyCheck(books=compare_account(account_id))
        except UnknownAccount as error:
            raise CommandError(error.detail) from error

    def _reconcile_one(self, run_id: uuid.UUID, now: datetime.datetime) -> HourlyCheck:
        run = Run.objects.filter(id=run_id).first()
        if run is None:
            raise CommandError(f"There is no run {run_id}.")
        return HourlyCheck(reconciliations=reconcile(runs=[run], now=now))

    def _check_all(self, now: datetime.datetime, whole: bool) -> HourlyCheck:
        """Without a queue the runs are still reconciled: that needs only the database."""
        try:
            return check_hourly(queue=configured_queue(), now=now, whole=whole)
        except QueueNotConfigured as error:
            check = check_hourly(queue=None, now=now, whole=whole)
            self.stderr.write(f"Leftovers were not sent again: {error}")
            return check
