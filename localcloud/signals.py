"""Signals that end a process, made to run its clean-up or to wait for a piece of work that must not be cut."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Never

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_by_exit() -> None:
    """Makes SIGTERM and SIGHUP leave by SystemExit, so that `finally` and atexit run.

    A handler that somebody set before, or `nohup`, stays. Does nothing outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _exit)


def _exit(number: int, frame: FrameType | None) -> Never:
    sys.exit(128 + number)


@contextmanager
def held_back(*, deliver_after: bool = True) -> Iterator[None]:
    """Holds the ending signals back while the block runs; what came is delivered after it, or dropped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    # None: a handler that C code installed, which Python can't put back.
    before = {n: handler for n in ENDING if (handler := signal.getsignal(n)) not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, lambda caught, frame: came.append(caught))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came and deliver_after:
        os.kill(os.getpid(), came[0])
