"""Worker processes of the product, as the application's role, on the test's database, a queue and a provider."""

import datetime
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connections

from localcloud.sqs.endpoint import REGION
from tests.support.workers.provider import Book
from tests.support.workers.queues import LocalQueue, local_queue
from tests.support.workers.waiting import PATIENCE_SECONDS, wait_until

ROOT = Path(__file__).resolve().parents[3]


def worker_environment(*, queue: LocalQueue, folder: Path, **settings: str) -> dict[str, str]:
    """A worker's environment: of the test process, only how the application reaches its database."""
    name = connections["default"].settings_dict["NAME"]
    kept = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    return kept | {
        "PYTHONUTF8": "1",
        "SECRET_KEY": "tests-only",
        "SECURE": "false",
        "DATABASE_URL": urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl(),
        "BILLING_DATA": str(folder),
        "AWS_ENDPOINT_URL": queue.endpoint.endpoint_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": REGION,
        "REBILLING_QUEUE_URL": queue.endpoint.queue_url,
        "PAYMENT_GATEWAY": "tests.support.workers.provider.ProviderOnDisk",
        "PROVIDER_BOOK": str(folder / "provider.txt"),
        **settings,
    }


@dataclass(frozen=True)
class Seam:
    """Where a worker is cut off: before or after the nth call of a function."""

    at: str
    when: str = "after"
    nth: int = 1

    def __str__(self) -> str:
        times = f"_{self.nth}_calls" if self.nth > 1 else ""
        return f"{self.when}{times}_of_{self.at}"


@dataclass(frozen=True)
class Meeting:
    """Two workers wait for each other before the first call that each makes of a function, and one of them for so much
    longer.
    """

    at: str
    folder: Path
    pause_seconds: float = 0


@dataclass(frozen=True)
class Worker:
    """One forked process. Its id stays its own until it was waited for."""

    pid: int
    begun_file: Path
    workers: "Workers"

    @property
    def begun(self) -> bool:
        """Whether it has received a message and works on it."""
        return self.begun_file.exists()

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Its exit code, or the negative number of the signal that ended it."""
        status = self.workers.ask({"wait": self.pid, "timeout_seconds": PATIENCE_SECONDS})
        assert status is not None, f"the worker is still running:\n{self.workers.log.read_text()}"
        return status


@dataclass(frozen=True)
class Workers:
    """Starts `manage.py` in forked processes. All that they print goes to `log`, what they ask of money to `book`."""

    nursery: subprocess.Popen[str]
    queue: LocalQueue
    log: Path
    book: Book

    def start(
        self,
        *argv: str,
        seam: Seam | None = None,
        meeting: Meeting | None = None,
        constants: Mapping[str, object] | None = None,
        now: datetime.datetime | None = None,
    ) -> Worker:
        """Starts a command. `constants` are module constants that the worker has other values for.

        Given a `now` the worker's clock goes on from there.
        """
        crash = None if seam is None else {"at": seam.at, "when": seam.when, "nth": seam.nth}
        begun = self.log.with_name(f"begun-{uuid.uuid4()}")
        files = {"log": str(self.log), "begun": str(begun)}
        clock = now.isoformat() if now else None
        meet = meeting and {"at": meeting.at, "folder": str(meeting.folder), "pause_seconds": meeting.pause_seconds}
        known = {"argv": argv, "crash": crash, "meet": meet, "now": clock}
        pid = self.ask({**known, "constants": dict(constants or {}), **files})
        assert pid
        return Worker(pid, begun, self)

    def run(
        self,
        *argv: str,
        seam: Seam | None = None,
        constants: Mapping[str, object] | None = None,
        now: datetime.datetime | None = None,
    ) -> int:
        """Runs a command to its end: its exit code, or the negative number of the signal that ended it."""
        return self.start(*argv, seam=seam, constants=constants, now=now).wait()

    def work_off_the_queue(self, *, workers: int = 1) -> None:
        """Works until no message is left, waiting for those that come back and putting dead ones back."""
        started = [self.start("process_queue") for _ in range(workers)]
        try:
            wait_until(
                lambda: not self.queue.on_its_way and not self.queue.redrive(), seconds=2 * PATIENCE_SECONDS, pause=0.05
            )
        finally:
            for worker in started:
                worker.kill()
                worker.wait()

    def ask(self, order: dict[str, object]) -> int | None:
        assert self.nursery.stdin is not None
        assert self.nursery.stdout is not None
        self.nursery.stdin.write(json.dumps(order) + "\n")
        self.nursery.stdin.flush()
        answer: int | None = json.loads(self.nursery.stdout.readline())
        return answer


@contextmanager
def worker_processes(*, queue: LocalQueue, folder: Path, **settings: str) -> Iterator[Workers]:
    """Workers on the queue, until the block ends; none outlives it."""
    nursery = subprocess.Popen(
        [sys.executable, "-m", "tests.support.workers.nursery"],
        cwd=ROOT,
        env=worker_environment(queue=queue, folder=folder, **settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with nursery:  # closes its input, at which it ends its workers and itself
        try:
            assert nursery.stdout is not None
            assert json.loads(nursery.stdout.readline()) == "ready"
            yield Workers(nursery, queue, log=folder / "workers.log", book=Book(folder / "provider.txt"))
        finally:
            assert nursery.stdin is not None
            nursery.stdin.close()
            try:
                nursery.wait(timeout=PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                nursery.kill()


@contextmanager
def workers_on_a_queue(
    folder: Path, settings: Mapping[str, str], *, visibility_timeout_seconds: int = 0
) -> Iterator[Workers]:
    """A queue of its own with workers on it, until the block ends. A message that fails comes back at once, unless it
    is said otherwise.
    """
    with (
        local_queue(visibility_timeout_seconds=visibility_timeout_seconds) as queue,
        worker_processes(queue=queue, folder=folder, **settings) as workers,
    ):
        yield workers
