"""A file's lock that one process holds at a time; the system gives it up when the process ends, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud.private_files import open_private


class AlreadyLocked(Exception):
    """Another process holds the lock."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock while the block runs. Raises AlreadyLocked, at once."""
    lock = open_private(str(path), os.O_RDONLY | os.O_CREAT)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyLocked(str(path)) from error
        yield
    finally:
        os.close(lock)
