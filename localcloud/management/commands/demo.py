"""`manage.py demo`, which `make demo` runs: it bills demonstration data, then serves the platform."""

import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import clock
from accounts.billing_day import billing_day
from accounts.command_options import add_data_option
from accounts.currencies import display
from accounts.models import Account
from invoices.models import Invoice
from ledger.balances import book_totals
from ledger.statements import statement
from localcloud.arguments import add_today_option
from localcloud.demo import data as demonstration
from localcloud.demo.access import demo_access
from localcloud.errors import UnableToStart
from localcloud.pending_work import how_to_decide, list_pending_work
from localcloud.platform.preparation import clock_line, data_folder, serves
from localcloud.platform.runner import configured_poller, foundation, serve
from localcloud.ports import DEFAULT_PORT
from localcloud.terminal import ProgressLine, table
from localcloud.web_server import address, listening
from rebilling.models import Run
from rebilling.reconciliation.presentation import as_text

SHOWN_ENTRIES = 10
"""Of the statement, the last ones."""


class Command(BaseCommand):
    help = "Bills 1,000 demonstration accounts on this machine, then serves API and admin until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="of 127.0.0.1; 0 takes any")
        add_today_option(parser)
        add_data_option(parser)

    def handle(self, *, port: int, today: datetime.date | None, **options: Any) -> None:
        data = data_folder()
        try:
            if today is not None:
                # Before a data folder begins on that day, for good.
                demonstration.ensure_room(today=today)
            if not serves("demo"):
                with foundation(data=data, today=today):
                    self._bill()
                return
            with listening(port=port) as server, foundation(data=data, today=today):
                self._bill()
                base = address(server=server)
                serve(data=data, server=server, announce=lambda: self._announce(base, data))
        except UnableToStart as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write("stopped")

    def _bill(self) -> None:
        line = ProgressLine(out=self.stdout, doing="opening accounts", total=demonstration.ACCOUNTS)
        opened = demonstration.open_accounts(progress=line)
        line.end(
            f"opened {opened:,} accounts on 3 plans"
            if opened
            else f"found the {demonstration.ACCOUNTS:,} accounts of an earlier demonstration"
        )
        if opened or demonstration.has_work():
            self._run(close=bool(opened))
        else:
            self._show_state()
        if invoice := demonstration.shown_invoice():
            self._show_invoice(invoice)
        self._show_statement(demonstration.shown_account())

    def _run(self, *, close: bool) -> None:
        line = ProgressLine(out=self.stdout, doing="sweeping")
        run = demonstration.sweep_today()
        due = run.rebillings.count()
        line.end(f"swept as of {run.as_of}: {due:,} periods had fallen due since the last sweep")
        if close and (closed := demonstration.close_some()):
            self.stdout.write(f"closed {closed} accounts while their messages were on their way")
        line = ProgressLine(out=self.stdout, doing="processing the queue")
        failed = demonstration.process(poller=configured_poller(), progress=line)
        line.end("processed the queue")
        if failed:
            raise CommandError(f"{failed} messages failed: see platform.log in the data folder.")
        self.stdout.write(f"\n{as_text(demonstration.reconciliation_of(run=run))}")
        if run.status == Run.Status.HELD:
            # As after weeks in which the demonstration didn't run: many weekly accounts have two periods due.
            self.stdout.write(how_to_decide(run))

    def _show_state(self) -> None:
        today = billing_day(clock.now())
        if waits := list_pending_work():
            self.stdout.write("\n".join([f"nothing is due on {today}, and of what was due this waits:", *waits]))
        else:
            self.stdout.write(f"nothing is due on {today}, and all that was due is done")
        statuses = ", ".join(f"{count:,} {status}" for status, count in demonstration.accounts_by_status().items())
        self.stdout.write(f"\n  accounts  {statuses}")
        if run := demonstration.last_run():
            self.stdout.write(
                f"  last run  {run.id} as of {run.as_of}, {run.status}: {run.rebillings.count():,} periods"
            )
        totals = book_totals()
        rows = [
            [book, *(display(amount_minor=totals[currency][book], currency=currency) for currency in sorted(totals))]
            for book in sorted({book for books in totals.values() for book in books if books[book]})
        ]
        self.stdout.write("")
        self.stdout.write(table(head=("book", *sorted(totals)), rows=rows, right=range(1, len(totals) + 1)))

    def _show_invoice(self, invoice: Invoice) -> None:
        def shown(amount_minor: int) -> str:
            return display(amount_minor=amount_minor, currency=invoice.currency)

        rows = [[line.description, shown(line.amount_minor)] for line in invoice.lines.order_by("position")]
        amounts = {
            "total": invoice.total_minor,
            "from the credit balance": -invoice.balance_applied_minor,
            "paid": -invoice.paid_minor,
            "outstanding": invoice.outstanding_minor,
        }
        rows += [[name, shown(amount)] for name, amount in amounts.items()]
        self.stdout.write(
            f"\nInvoice {invoice.number} of {invoice.customer_name}, issued on {invoice.issued_on}, {invoice.status}"
        )
        self.stdout.write(table(head=("line", "amount"), rows=rows, right=(1,)))

    def _show_statement(self, account: Account) -> None:
        found = statement(account_id=account.id, since=account.anchor_date, until=billing_day(clock.now()))
        lines = found.lines[-SHOWN_ENTRIES:]
        rows = [
            [
                line.entry.effective_on.isoformat(),
                line.entry.type,
                line.entry.description,
                display(amount_minor=line.owed_minor, currency=account.currency),
                display(amount_minor=line.balance_minor, currency=account.currency),
            ]
            for line in lines
        ]
        head = ("date", "entry", "description", "amount", "balance")
        self.stdout.write(f"\nStatement of {account.name}")
        if earlier := len(found.lines) - len(lines):
            self.stdout.write(f"{earlier:,} before, and the last {SHOWN_ENTRIES} entries:")
        self.stdout.write(table(head=head, rows=rows, right=(3, 4)))

    def _announce(self, base: str, data: Path) -> None:
        access = demo_access(data=data)
        account = demonstration.shown_account()
        lines = (
            "",
            f"  API      {base}/v1/docs",
            f"  admin    {base}/admin/   {access.username} / {access.password}",
            f"  API key  {access.api_key}",
            f"  log      {data / 'platform.log'}",
            *clock_line(label="day      "),
            "",
            f"  curl -H 'Authorization: Bearer {access.api_key}' {base}/v1/accounts/{account.id}/ledger",
            "",
            "Ctrl-C stops it.",
        )
        self.stdout.write("\n".join(lines))
        self.stdout.flush()
