"""`manage.py process_queue`: Lambda's SQS poller, by hand."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.command_options import add_data_option
from localcloud.platform import gateway as platform_gateway
from localcloud.platform.preparation import command_line, data_folder
from localcloud.platform.runner import configured_poller
from localcloud.sqs.poller import BATCH_SIZE, Delivery


class Command(BaseCommand):
    help = (
        "Works the queue as Lambda's poller does: same event, same handler. Without options until Ctrl-C. "
        "Exits 1 if a message failed; it goes back to the queue after its visibility timeout."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--until-empty",
            action="store_true",
            help="return when no message can be received; those that another worker has in hand aren't waited for",
        )
        parser.add_argument("--max-messages", type=int, metavar="N", help="return after N messages")
        add_data_option(parser)

    def handle(self, *, until_empty: bool, max_messages: int | None, **options: Any) -> None:
        if platform_gateway.out_of_reach(data=data_folder()):
            own, typed = platform_gateway.configured(), command_line("runlocal --simulated-provider")
            raise CommandError(
                f"The platform collects from a simulated provider, and this command by {own}: start `{typed}`, which "
                "works the queue itself."
            )
        if not settings.REBILLING_QUEUE_URL:
            raise CommandError(f"There is no queue: start `{command_line('runlocal')}`, or set REBILLING_QUEUE_URL.")
        if max_messages is not None and max_messages < 1:
            raise CommandError("--max-messages must be at least 1.")
        poller = configured_poller()
        received = failed = 0
        try:
            while max_messages is None or received < max_messages:
                left = BATCH_SIZE if max_messages is None else max_messages - received
                delivery = poller.poll(max_messages=left)
                received, failed = received + delivery.received, failed + delivery.failed
                if until_empty and delivery.received == 0 and poller.waiting() == 0:
                    break
        finally:
            self._report(Delivery(received=received, failed=failed))
        if failed:
            raise CommandError(f"{failed} of {received} messages failed; they go back to the queue.")

    def _report(self, total: Delivery) -> None:
        self.stdout.write(f"{total.received - total.failed} messages processed, {total.failed} failed")
