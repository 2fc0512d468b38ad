"""`manage.py import_accounts FILE --as-of DATE [--dry-run]`"""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import clock
from accounts.billing_calendar import MAX_DUE_PERIODS
from accounts.command_options import add_data_option
from accounts.currencies import display
from accounts.date_format import NotABillingDay, billing_day_from
from accounts.phrases import counted
from subscriptions.imports.catch_up import CatchUp
from subscriptions.imports.import_accounts import Imported, UnableToImport, import_accounts
from subscriptions.imports.opening_balances import OpeningBalances

AUTHOR = "command:import_accounts"


class Command(BaseCommand):
    help = (
        "Imports accounts from a CSV file: all of them, or, when a row is bad, none. Says what will be billed for days "
        "before the day of the import. docs/importing.md describes the file, docs/examples/accounts.csv is one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the file, in UTF-8, with commas, semicolons or tabs")
        parser.add_argument(
            "--as-of",
            required=True,
            metavar="DATE",
            help="the day of the import, YYYY-MM-DD: accounts are billed from their first period start on or after it",
        )
        parser.add_argument("--dry-run", action="store_true", help="look at every row and write nothing")
        add_data_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            as_of = billing_day_from(options["as_of"])
        except NotABillingDay as error:
            raise CommandError(f"--as-of: {error}.") from None
        try:
            with open(options["file"], "rb") as file:
                imported = import_accounts(
                    file=file,
                    as_of=as_of,
                    author=AUTHOR,
                    now=clock.now(),
                    dry_run=options["dry_run"],
                    progress=self._show_progress,
                )
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror or error}") from None
        except UnableToImport as refusal:
            self._clear_progress()
            raise CommandError(_explained(refusal)) from None
        self._clear_progress()
        self.stdout.write(_summary(imported, dry_run=options["dry_run"]))

    def _show_progress(self, rows: int) -> None:
        self._on_a_terminal(f"\r{rows:,} rows read")

    def _clear_progress(self) -> None:
        self._on_a_terminal("\r\x1b[K")

    def _on_a_terminal(self, text: str) -> None:
        """Nothing in a pipe. Plain, where Django would color it as an error."""
        if self.stderr.isatty():
            self.stderr.write(text, style_func=str, ending="")
            self.stderr.flush()


def _explained(refusal: UnableToImport) -> str:
    lines = [str(problem) for problem in refusal.problems]
    if any(cause.rows > 1 for cause in refusal.causes):
        lines = [*map(str, refusal.causes), "", *lines]
    if refusal.more:
        lines.append(f"and {counted(refusal.more, 'more bad row')}")
    return "\n".join([*lines, refusal.detail])


def _summary(imported: Imported, *, dry_run: bool) -> str:
    counts = f"({imported.active:,} active, {imported.inactive:,} inactive)"
    accounts = counted(imported.accounts, "account")
    if dry_run:
        lines = [f"{accounts} would be imported {counts}; nothing was written"]
    else:
        lines = [f"{accounts} imported {counts}"]
    lines += _caught_up(imported.before_import)
    if imported.before_today:
        as_of, today = imported.before_import.day, imported.before_today.day
        lines.append(f"Today is {today}, after the day of the import, {as_of}:")
        lines += _caught_up(imported.before_today)
    lines += _brought(imported.opening_balances)
    return "\n".join(lines)


def _caught_up(catch_up: CatchUp) -> list[str]:
    """What will be billed for days before the day, in a line; and what a person has to decide about, in another."""
    day = catch_up.day
    lines = [f"No account is billed for days before {day}"]
    if catch_up.accounts:
        amounts = _money(catch_up.amounts_minor)
        past = f"{catch_up.past_periods:,}" if catch_up.past_periods else "none"
        lines = [
            f"{counted(catch_up.accounts, 'account')} {_is(catch_up.accounts)} billed for days before {day}: "
            f"{counted(catch_up.periods, 'period')}, {amounts}, {past} of them in the past"
        ]
    if parked := catch_up.parked_accounts:
        lines.append(
            f"{counted(parked, 'account')} {_is(parked)} not billed until a person decides: "
            f"more than {MAX_DUE_PERIODS} periods are due by {day}, and the sweep parks the first of them"
        )
    return lines


def _brought(balances: OpeningBalances) -> list[str]:
    """What the accounts bring with them, in a line for debts and another for credit."""
    lines = []
    if balances.owing_accounts:
        accounts = counted(balances.owing_accounts, "account")
        lines.append(
            f"{accounts} {_owe(balances.owing_accounts)} {_money(balances.owed_minor)} from before: "
            "brought forward to the next invoices"
        )
    if balances.accounts_in_credit:
        accounts = counted(balances.accounts_in_credit, "account")
        lines.append(
            f"{accounts} {_have(balances.accounts_in_credit)} credit of {_money(balances.credit_minor)} from before: "
            "it pays the next invoices"
        )
    return lines


def _money(amounts_minor: Mapping[str, int]) -> str:
    return " and ".join(
        display(amount_minor=amount_minor, currency=currency)
        for currency, amount_minor in sorted(amounts_minor.items())
    )


def _owe(number: int) -> str:
    return "owes" if number == 1 else "owe"


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
