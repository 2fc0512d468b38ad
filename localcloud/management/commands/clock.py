"""`manage.py clock [--to DATE]`: the day of the platform on this machine, and moved forward with `--to`."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from accounts.command_options import add_data_option, billing_date
from accounts.phrases import counted
from billing_site.command_errors import explained
from localcloud import clock
from localcloud.days import Days, PassedDay, QueueStuck, QueueUntilEmpty, RunHeld
from localcloud.errors import UnableToMove, UnableToStart
from localcloud.invocation import entry_point
from localcloud.local_checks import ensure_local, ensure_platform_local
from localcloud.locks import AlreadyLocked, locked
from localcloud.pending_work import how_to_decide
from localcloud.platform import gateway as platform_gateway
from localcloud.platform.preparation import command_line, data_folder
from localcloud.platform.runner import CLOCK, configured_poller, foundation, join
from localcloud.terminal import DayLines
from payments.messages.queue import UnableToSend


class Command(BaseCommand):
    help = (
        "Print the platform's day, or move it forward. Each day is swept, its messages, dunning and look-ups are "
        "worked, and it is checked, as on real days. Only for the local platform of a data folder, and never back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", type=billing_date, metavar="DATE", help="the day to move to, YYYY-MM-DD")
        add_data_option(parser)

    def handle(self, *, to: datetime.date | None, **options: Any) -> None:
        try:
            ensure_local()
            if to is None:
                self.stdout.write(clock.today().isoformat())
            else:
                with locked(data_folder() / "clock.lock"):
                    self._move(to)
        except AlreadyLocked as error:
            raise CommandError("the clock is being moved by another command: wait for it, or stop it") from error
        except (UnableToMove, UnableToStart) as refusal:
            raise CommandError(str(refusal)) from refusal

    def _move(self, to: datetime.date) -> None:
        today = clock.today()
        if to < today:
            raise UnableToMove(f"the clock can't go back: it is {today} already, and {to} has passed")
        if to == today and not clock.unfinished_day():
            raise UnableToMove(f"it is {today} already: name a later day")
        lines, again = DayLines(out=self.stdout), f"go on with `{command_line(f'clock --to {to}')}`"
        try:
            with self._queue(lines) as empty_queue:
                for done in Days(handler=entry_point(), empty_queue=empty_queue).pass_until(to):
                    happened = bool(done.due or done.payments or done.unexplained)
                    lines.add(_summary(done), worth_keeping=happened)
        except RunHeld as held:
            raise _stopped(f"{held}. {how_to_decide(held.run)} Then {again}") from held
        except (UnableToSend, BotoCoreError, ClientError) as error:
            raise _stopped(f"the queue can't be reached. If the platform was stopped, {again}") from error
        except QueueStuck as error:
            raise _stopped(f"{error}. See platform.log, then {again}") from error
        except (UnableToMove, UnableToStart):
            raise
        except BaseException as error:
            if trouble := isinstance(error, Error) and explained(error):
                raise _stopped(f"{trouble} Then {again}") from error
            # Ctrl-C, or a bug, whose traceback follows.
            self.stderr.write(str(_stopped(again)))
            raise
        lines.end(
            f"it is {clock.today()}; payments are collected by {platform_gateway.of_platform(data=data_folder())}"
        )

    @contextmanager
    def _queue(self, lines: DayLines) -> Iterator[QueueUntilEmpty]:
        """The queue of the running platform, whose poller works it, or without one a queue that this process works."""

        def show(left: int) -> None:
            lines.wait(day=clock.today(), left=left)

        data = data_folder()
        if join(data=data):
            ensure_platform_local(data=data)
            platform_gateway.submit_for_platform(data=data)
            yield QueueUntilEmpty(poller=configured_poller(), works_itself=False, show=show)
        elif platform_gateway.out_of_reach(data=data):
            raise UnableToMove(
                f"the platform on {data} collected from a simulated provider, and this command would by "
                f"{platform_gateway.configured()}: start `{command_line('runlocal --simulated-provider')}` first"
            )
        else:
            with foundation(data=data, by=CLOCK):
                yield QueueUntilEmpty(poller=configured_poller(), works_itself=True, show=show)


def _stopped(why: str) -> CommandError:
    return CommandError(f"stopped on {clock.today()}: {why}")


def _summary(done: PassedDay) -> str:
    counts = [f"{counted(done.due, 'period')} due", counted(done.payments, "payment")]
    if done.unexplained:
        counts.append(f"{done.unexplained:,} UNEXPLAINED")
    return f"{done.day}  {', '.join(counts)}"
