"""Where the platform's log lines go while it serves: all into the data folder, the errors to the terminal too."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

MOST_BYTES = 10 * 1024 * 1024


def log_to_file(*, data: Path) -> Path:
    """Moves the root logger's output to a file, and returns its path. Call it once the settings have set logging up."""
    path = data / "platform.log"
    file = RotatingFileHandler(path, maxBytes=MOST_BYTES, backupCount=1, encoding="utf-8")
    root = logging.getLogger()
    for handler in root.handlers:
        file.setFormatter(handler.formatter)
        handler.setLevel(logging.ERROR)
    root.addHandler(file)
    # Django's own handler for requests writes to the terminal, past the root logger.
    requests = logging.getLogger("django.server")
    requests.handlers.clear()
    requests.propagate = True
    return path
