"""A file's lock that one process holds at a time; the system gives it up when the process ends, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud.private_files import open_private

MAX_BYTES = 100


class AlreadyLocked(Exception):
    """Another process holds the lock; `by` is what that one does, where it said so."""

    def __init__(self, path: Path, *, by: str) -> None:
        super().__init__(str(path))
        self.by = by


@contextmanager
def locked(path: Path, *, by: str = "") -> Iterator[None]:
    """Holds the lock while the block runs, and tells others what for. Raises AlreadyLocked, at once."""
    lock = open_private(str(path), os.O_RDWR | os.O_CREAT)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyLocked(path, by=os.read(lock, MAX_BYTES).decode()) from error
        os.ftruncate(lock, 0)
        os.write(lock, by.encode())
        yield
    finally:
        os.close(lock)
