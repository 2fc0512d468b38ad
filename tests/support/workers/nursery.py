"""A process that loads the product once, and forks a worker from itself for each order on its standard input.

A worker runs `manage.py` as a shell would, only without a second's start-up. An order may name a seam: a function
before or after whose nth call the worker is killed, as the kernel kills, with no clean-up of any kind.
"""

import datetime
import importlib
import io
import itertools
import json
import os
import pkgutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Never

import boto3
import time_machine
from django.core.management import call_command

from localcloud.sqs.poller import Poller

MEETING_SECONDS = 20
"""How long a worker waits for another. Who is alone goes on then, and the test says so."""


def main() -> None:
    _load_the_product()
    _answer("ready")
    children: set[int] = set()
    try:
        for line in sys.stdin:
            order = json.loads(line)
            if "wait" in order:
                status = _wait(order["wait"], timeout_seconds=order["timeout_seconds"])
                if status is not None:
                    children.discard(order["wait"])
                _answer(status)
            else:
                pid = os.fork()
                if pid == 0:
                    _work(order)
                children.add(pid)
                _answer(pid)
    finally:
        # Children that nobody waited for keep their ids, so these are still ours.
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _load_the_product() -> None:
    """Everything that a worker imports. Nothing connects: a connection can't be shared by forked processes."""
    for module in (
        "billing_site.lambda_function.entry",
        "localcloud.management.commands.process_queue",
        "localcloud.platform.preparation",
        "subscriptions.management.commands.sweep",
    ):
        importlib.import_module(module)
    # What every command checks at its start loads the rest.
    call_command("check", stdout=io.StringIO())
    boto3.client("sqs")


def _answer(content: object) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def _work(order: dict[str, Any]) -> Never:
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(ours, theirs)
    code = 0
    try:
        for name, value in order["constants"].items():
            owner, attribute = _resolve(name)
            setattr(owner, attribute, value)
        if order["crash"] is not None:
            _arm(**order["crash"])
        if order["meet"] is not None:
            _meet(**order["meet"])
        _announce_the_first_message(Path(order["begun"]))
        if order["now"] is not None:
            time_machine.travel(datetime.datetime.fromisoformat(order["now"])).start()
        sys.argv = ["manage.py", *order["argv"]]
        from manage import main as manage

        manage()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _arm(*, at: str, when: str, nth: int) -> None:
    owner, attribute = _resolve(at)
    original: Callable[..., Any] = getattr(owner, attribute)
    calls = itertools.count(1)

    def cut_off(*args: Any, **kwargs: Any) -> Any:
        last = next(calls) == nth
        if last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = original(*args, **kwargs)
        if last and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(owner, attribute, cut_off)


def _meet(*, at: str, folder: str, pause_seconds: float) -> None:
    """Before the first call of the function waits for the other one, who does the same."""
    owner, attribute = _resolve(at)
    original: Callable[..., Any] = getattr(owner, attribute)
    calls = itertools.count(1)

    def met(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == 1:
            Path(folder, str(os.getpid())).touch()
            deadline = time.monotonic() + MEETING_SECONDS
            while len(os.listdir(folder)) < 2 and time.monotonic() < deadline:
                time.sleep(0.0005)
            time.sleep(pause_seconds)
        return original(*args, **kwargs)

    setattr(owner, attribute, met)


def _announce_the_first_message(path: Path) -> None:
    """Makes a file when a message was received and its work begins."""
    deliver = Poller._deliver

    def announced(poller: Poller, messages: Any) -> frozenset[str]:
        path.touch()
        return deliver(poller, messages)

    setattr(Poller, "_deliver", announced)  # noqa: B010 - to the type checker a method is no variable


def _resolve(name: str) -> tuple[Any, str]:
    path, _, attribute = name.rpartition(".")
    return pkgutil.resolve_name(path), attribute


def _wait(pid: int, *, timeout_seconds: float) -> int | None:
    """How a child ended: its exit code, or the negative number of the signal. None when it is still running."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return None


if __name__ == "__main__":
    # Where `-m` found the tests is where manage.py is.
    os.chdir(Path(__file__).resolve().parents[3])
    main()
