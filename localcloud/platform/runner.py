"""The whole platform in one process: SQS, its poller, the schedules and the web server."""

import datetime
import os
import signal
import threading
import time
import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import boto3
from django.conf import settings
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer
from django.db import connections

from localcloud import clock, web_server
from localcloud.errors import UnableToMove, UnableToStart
from localcloud.invocation import entry_point
from localcloud.local_checks import ensure_local
from localcloud.locks import AlreadyLocked, locked
from localcloud.platform import gateway as platform_gateway
from localcloud.platform.log import errors_to_terminal, log_to_file
from localcloud.platform.preparation import command_line
from localcloud.postgres.embedded import keep_running, names_database_of
from localcloud.private_files import make_folder
from localcloud.schedules import Schedules
from localcloud.sqs import endpoint as queue_endpoint
from localcloud.sqs.poller import Poller
from localcloud.sqs.server import create_queues, local_sqs

LOCK = "platform.lock"
PLATFORM, CLOCK = "the platform", "`manage.py clock --to`"
"""Who may hold the lock."""
LOOK_SECONDS = 0.2
STOP_SECONDS = 10
"""How long running work may take when the platform stops. Cut off, it is finished after the next start."""


@contextmanager
def foundation(*, data: Path, today: datetime.date | None = None, by: str = PLATFORM) -> Iterator[None]:
    """The database migrated and a queue to use, while the block runs. A new data folder begins on `today`, if given.

    The gateway of this process's settings collects; a file names it for other commands. `by` names this process in the
    error that another one gets. Raises UnableToStart when another process holds the lock, and when the folder exists
    already and is on another day.
    """
    with _only_one(data, by=by):
        # The product first: loading it sets logging up anew.
        entry_point()
        web_server.application()
        log_to_file(data=data)
        if today is not None:
            _begin(data=data, today=today)
        call_command("migrate", interactive=False, verbosity=0)
        # Before other commands find the queue.
        platform_gateway.remember(data=data)
        with _queue(data):
            yield


def join(*, data: Path) -> bool:
    """Whether a platform runs on the data folder; this process's log lines go beside that one's then.

    Raises UnableToStart when it runs and has no queue for others yet, or no more.
    """
    try:
        with locked(data / LOCK):
            return False
    except AlreadyLocked:
        if not settings.REBILLING_QUEUE_URL:
            raise UnableToStart(f"the platform on {data} is just starting or stopping: try again") from None
    entry_point()
    log_to_file(data=data, shared=True)
    return True


def serve(*, data: Path, server: ThreadedWSGIServer, announce: Callable[[], None]) -> None:
    """Works the queue, keeps the schedules and answers requests until Ctrl-C, SIGTERM or SIGHUP.

    The data folder's PostgreSQL, where the platform uses that, is started again when it was killed.
    """
    ending, stopping = _ending_signals(), threading.Event()
    errors_to_terminal()
    schedules = Schedules(handler=entry_point(), zone=zoneinfo.ZoneInfo(settings.BILLING_TIME_ZONE))
    work: dict[str, Callable[..., None]] = {"poller": configured_poller().run, "schedules": schedules.run}
    if names_database_of(data=data):
        work["database"] = partial(keep_running, data=data)
    threads = [
        threading.Thread(target=run, kwargs={"stopping": stopping}, name=name, daemon=True)
        for name, run in work.items()
    ]
    with web_server.serving(server=server):
        for thread in threads:
            thread.start()
        announce()
        while not ending:
            time.sleep(LOOK_SECONDS)
        stopping.set()
    for thread in threads:
        thread.join(timeout=STOP_SECONDS)


def configured_poller() -> Poller:
    """A poller of the queue in the settings, with boto3's own endpoint and credentials."""
    return Poller(client=boto3.client("sqs"), queue_url=settings.REBILLING_QUEUE_URL, handler=entry_point())


@contextmanager
def _only_one(data: Path, *, by: str) -> Iterator[None]:
    """Two platforms on one data folder would each have a queue that the other's commands don't find."""
    make_folder(data)
    try:
        with locked(data / LOCK, by=by):
            yield
    except AlreadyLocked as error:
        if error.by == CLOCK:
            why = f"{CLOCK} is working on {data}: wait until it is done, or stop it, or name another --data"
        else:
            why = f"the platform is already running on {data}: stop it, or name another --data"
        raise UnableToStart(why) from error


def _begin(*, data: Path, today: datetime.date) -> None:
    """Sets the clock where there is nothing in the database yet."""
    try:
        ensure_local()
        if not connections["owner"].introspection.table_names():
            clock.begin_on(today)
    except UnableToMove as refusal:
        raise UnableToStart(f"--today: {refusal}") from refusal
    if clock.today() != today:
        raise UnableToStart(
            f"the platform in {data} is there already, and its day is {clock.today()}: leave --today (TODAY=) out, "
            f"move it forward with `{command_line(f'clock --to {today}')}`, or begin in another folder with --data"
        )


@contextmanager
def _queue(data: Path) -> Iterator[None]:
    """Sets a queue for this process: what the environment names, or SQS of our own that other commands find."""
    if settings.REBILLING_QUEUE_URL:
        yield
    elif endpoint_url := os.environ.get("AWS_ENDPOINT_URL"):
        _use(create_queues(endpoint_url=endpoint_url))
        yield
    else:
        with local_sqs() as endpoint:
            _use(endpoint)
            queue_endpoint.leave(data=data, endpoint=endpoint)
            try:
                yield
            finally:
                queue_endpoint.remove(data=data)


def _use(endpoint: queue_endpoint.QueueEndpoint) -> None:
    queue_endpoint.use(endpoint=endpoint)
    # The settings were read before there were queues to name.
    settings.REBILLING_QUEUE_URL = endpoint.queue_url
    settings.REBILLING_DLQ_URL = endpoint.dead_letter_queue_url


def _ending_signals() -> list[int]:
    """A list that receives the signals that end the platform, from now on.

    The caller polls it. A wait without end could miss a signal that comes just before it, and an Event
    that a handler sets could deadlock the one who waits for it.
    """
    came: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # `nohup` ignores SIGHUP on purpose. SIGINT is heard even where a shell started us in the background.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda caught, frame: came.append(caught))
    return came
