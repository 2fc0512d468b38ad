"""`manage.py redrive_dlq`: shows the dead letters, and sends them back to the queue or discards them."""

from collections.abc import Collection
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.command_options import add_data_option
from payments.messages.format import MalformedMessage
from payments.messages.queue import QueueNotConfigured, configured_queue
from payments.messages.rows import RowsMessage
from rebilling.messages.dead_letters import (
    MAX_LETTERS,
    DeadLetter,
    UnableToRedrive,
    configured_dead_letters,
    discard,
    receive_letters,
    redrive_letters,
    release_letters,
)

MAX_FAULT_LENGTH = 200


class Command(BaseCommand):
    help = (
        "Show the messages in the dead-letter queue. With --send, those without a fault go back to the queue; "
        "malformed ones and ones with refused items stay. Nothing is charged twice by that."
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
        only, to_discard = frozenset(options["message"]), frozenset(options["discard"])
        left: dict[str, DeadLetter] = {}
        try:
            dead, queue = configured_dead_letters(), configured_queue()
            left = {letter.message_id: letter for letter in receive_letters(dead=dead)}
            self._refuse_unknown(only | to_discard, left)
            shown = [letter for letter in left.values() if not only or letter.message_id in only | to_discard]
            self._show(shown)
            if len(left) >= MAX_LETTERS:
                self.stdout.write(f"There may be more: this shows at most {MAX_LETTERS:,} at a time.")
            discarded = [left[message_id] for message_id in sorted(to_discard)]
            discard(letters=discarded, dead=dead)
            for letter in discarded:
                del left[letter.message_id]
            sent = 0
            for letter in redrive_letters(letters=shown if send else [], dead=dead, queue=queue):
                del left[letter.message_id]
                sent += 1
            self._summarize(sent=sent, discarded=len(discarded), left=len(left), send=send)
        except (QueueNotConfigured, UnableToRedrive) as error:
            raise CommandError(str(error)) from error
        finally:
            if left:
                release_letters(letters=left.values(), dead=dead)

    def _refuse_unknown(self, named: Collection[str], left: Collection[str]) -> None:
        unknown = sorted(set(named) - set(left))
        if unknown:
            raise CommandError(f"Nothing was done: not in the dead-letter queue now: {', '.join(unknown)}")

    def _show(self, letters: Collection[DeadLetter]) -> None:
        for letter in letters:
            sent = letter.sent_at.strftime("%Y-%m-%dT%H:%M:%SZ")
            self.stdout.write(f"{letter.message_id}  sent {sent}, received {letter.receives}x: {_contents(letter)}")

    def _summarize(self, *, sent: int, discarded: int, left: int, send: bool) -> None:
        done = [f"{sent:,} sent back"] if send else []
        done += [f"{discarded:,} discarded"] if discarded else []
        self.stdout.write(", ".join([*done, f"{left:,} left in the dead-letter queue"]) + ".")
        if left and not send:
            self.stdout.write("Nothing was sent: --send sends back those without a fault.")


def _contents(letter: DeadLetter) -> str:
    contents = letter.contents
    if isinstance(contents, MalformedMessage):
        return f"MALFORMED, {str(contents)[:MAX_FAULT_LENGTH]}"
    refused = f", REFUSED ITEMS: {letter.fault[:MAX_FAULT_LENGTH]}" if letter.fault else ""
    if isinstance(contents, RowsMessage):
        return f"{len(contents.ids):,} {contents.MODEL._meta.verbose_name_plural}{refused}"
    return f"run {contents.run_id} as of {contents.as_of}, {len(contents.periods):,} periods{refused}"
