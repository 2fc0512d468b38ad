"""Where the platform's log lines go: into a file of the data folder, and while it serves errors to the terminal too."""

import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler, WatchedFileHandler
from pathlib import Path

from localcloud.private_files import open_private

MAX_BYTES = 10 * 1024 * 1024


class _OwnLog(RotatingFileHandler):
    def _open(self) -> TextIOWrapper:
        return _opened(self)


class _SharedLog(WatchedFileHandler):
    """Follows the file when the platform begins a new one, and begins none itself."""

    def _open(self) -> TextIOWrapper:
        return _opened(self)


def log_to_file(*, data: Path, shared: bool = False) -> None:
    """Moves what goes to the terminal to a file. Call it once the settings have set logging up.

    `shared` is for a process beside the platform, whose file it is.
    """
    path = data / "platform.log"
    file: logging.FileHandler = (
        _SharedLog(path, encoding="utf-8")
        if shared
        else _OwnLog(path, maxBytes=MAX_BYTES, backupCount=1, encoding="utf-8")
    )
    root = logging.getLogger()
    for handler in list(root.handlers):
        file.setFormatter(handler.formatter)
        root.removeHandler(handler)
    root.addHandler(file)
    # Django's own handler for requests writes to the terminal, past the root logger.
    requests = logging.getLogger("django.server")
    requests.handlers.clear()
    requests.propagate = True


def _opened(handler: logging.FileHandler) -> TextIOWrapper:
    """The handler's file, as logging opens it, but only for its owner's eyes."""
    descriptor = open_private(handler.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    return os.fdopen(descriptor, "a", encoding=handler.encoding, errors=handler.errors)


def errors_to_terminal() -> None:
    """A line for each error; the file has the rest."""
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.ERROR)
    terminal.setFormatter(_OneLine())
    terminal.addFilter(_says_more_than_that_a_request_failed)
    logging.getLogger().addHandler(terminal)


def _says_more_than_that_a_request_failed(record: logging.LogRecord) -> bool:
    """The server's line for each request has arguments. Why one failed, the product says in a line of its own."""
    return record.name != "django.server" or not record.args


class _OneLine(logging.Formatter):
    """Without the traceback, which the file has."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{record.levelname}: {record.getMessage()} (see platform.log)"
