"""`manage.py redrive_dlq`: shows the dead letters, and sends back what it is told to."""

from collections.abc import Collection
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.command_options import add_data_option
from rebilling.message import MalformedMessage, RefundsMessage
from rebilling.queue import QueueNotConfigured, configured_queue
from rebilling.redrive import (
    MOST_LETTERS,
    DeadLetter,
    UnableToRedrive,
    configured_dead_letters,
    discard,
    look,
    put_back,
    send_back,
)

LONGEST_FAULT = 200


class Command(BaseCommand):
    help = (
        "Show the messages in the dead-letter queue. With --send those that nothing is wrong with go back to the "
        "queue; malformed ones and ones with refused items stay. Nothing is charged twice by that."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--send", action="store_true", help="send back to the queue what is shown")
        parser.add_argument(
            "--message", action="append", default=[], metavar="ID", help="only this message; may be given again"
        )
        parser.add_argument(
            "--discard",
            action="append",
            default=[],
            metavar="ID",
            help="delete this message, which can only fail again, for good",
        )
        add_data_option(parser)

    def handle(self, *args: Any, send: bool, **options: Any) -> None:
        only, doomed = frozenset(options["message"]), frozenset(options["discard"])
        left: dict[str, DeadLetter] = {}
        try:
            dead, queue = configured_dead_letters(), configured_queue()
            left = {letter.message_id: letter for letter in look(dead=dead)}
            self._refuse_unknown(only | doomed, left)
            shown = [letter for letter in left.values() if not only or letter.message_id in only | doomed]
            self._show(shown)
            if len(left) >= MOST_LETTERS:
                self.stdout.write(f"There may be more: it looks at {MOST_LETTERS:,} in one go.")
            gone = [left[message_id] for message_id in sorted(doomed)]
            discard(letters=gone, dead=dead)
            for letter in gone:
                del left[letter.message_id]
            moved = 0
            for letter in send_back(letters=shown if send else [], dead=dead, queue=queue):
                del left[letter.message_id]
                moved += 1
            self._conclude(sent=moved, discarded=len(gone), left=len(left), send=send)
        except (QueueNotConfigured, UnableToRedrive) as error:
            raise CommandError(str(error)) from error
        finally:
            if left:
                put_back(letters=left.values(), dead=dead)

    def _refuse_unknown(self, named: Collection[str], left: Collection[str]) -> None:
        unknown = sorted(set(named) - set(left))
        if unknown:
            raise CommandError(f"Nothing was done: not in the dead-letter queue now: {', '.join(unknown)}")

    def _show(self, letters: Collection[DeadLetter]) -> None:
        for letter in letters:
            sent = letter.sent_at.strftime("%Y-%m-%dT%H:%M:%SZ")
            self.stdout.write(f"{letter.message_id}  sent {sent}, received {letter.receives}x: {_contents(letter)}")

    def _conclude(self, *, sent: int, discarded: int, left: int, send: bool) -> None:
        done = [f"{sent:,} sent back"] if send else []
        done += [f"{discarded:,} discarded"] if discarded else []
        self.stdout.write(", ".join([*done, f"{left:,} left in the dead-letter queue"]) + ".")
        if left and not send:
            self.stdout.write("Nothing was sent: --send sends back those that nothing is wrong with.")


def _contents(letter: DeadLetter) -> str:
    contents = letter.contents
    if isinstance(contents, MalformedMessage):
        return f"MALFORMED, {str(contents)[:LONGEST_FAULT]}"
    refused = f", REFUSED ITEMS: {letter.fault[:LONGEST_FAULT]}" if letter.fault else ""
    if isinstance(contents, RefundsMessage):
        return f"{len(contents.refunds):,} refunds{refused}"
    return (
        f"run {contents.run_id} as of {contents.as_of}, {len(contents.rebillings):,} periods, "
        f"{len(contents.payments):,} payments{refused}"
    )
