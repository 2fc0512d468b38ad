"""Processes of the platform, and what tests ask of them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg2

ROOT = Path(__file__).resolve().parent.parent.parent
PRINT_HOST = "from django.conf import settings; print(settings.DATABASES['default'].get('OPTIONS', {}).get('host'))"
PRINT_QUEUE = "from django.conf import settings; print(settings.REBILLING_QUEUE_URL)"
HOLD = """
import os, sys
from pathlib import Path
from localcloud.postgres.embedded import attach
attach(data=Path(sys.argv[1]))
print(os.environ["DATABASE_URL"], os.environ["DATABASE_OWNER_URL"], flush=True)
sys.stdin.readline()
"""


def bare_environment(**more: str) -> dict[str, str]:
    """An environment as `env -i` leaves it: nothing of this test run's own database."""
    kept = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    return kept | {"PYTHONUTF8": "1"} | more


@dataclass
class Holder:
    """A process that attached the embedded database of a folder, and keeps it until it is let go."""

    process: subprocess.Popen[str]
    data: Path
    url: str = ""
    owner_url: str = ""

    def wait_until_attached(self) -> "Holder":
        assert self.process.stdout is not None
        self.url, self.owner_url = self.process.stdout.readline().split()
        return self

    def let_go(self) -> None:
        self.process.communicate("\n", timeout=60)
        assert self.process.returncode == 0

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=60)
        return self.process.returncode

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Runs a statement as the owner, on its own and committed."""
        with closing(psycopg2.connect(self.owner_url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


Hold = Callable[[Path], Holder]


def server_pid(data: Path) -> int | None:
    """The postmaster of a data folder, if there is one alive."""
    try:
        pid = int((data / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    except FileNotFoundError:
        return None
    return pid if psutil.pid_exists(pid) and psutil.Process(pid).name() == "postgres" else None


def kill_server(data: Path) -> None:
    """Ends a postmaster as the kernel would when memory runs out, and waits until it is gone."""
    pid = server_pid(data)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def manage(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=bare_environment(**environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def shell(code: str, *arguments: str, **environment: str) -> str:
    done = manage("shell", "--no-imports", "--verbosity", "0", "--command", code, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
