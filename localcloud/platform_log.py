"""Where the platform's log lines go: into a file of the data folder, and while it serves errors to the terminal too."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

MOST_BYTES = 10 * 1024 * 1024


def log_to_file(*, data: Path) -> None:
    """Moves what goes to the terminal to a file. Call it once the settings have set logging up."""
    file = RotatingFileHandler(data / "platform.log", maxBytes=MOST_BYTES, backupCount=1, encoding="utf-8")
    root = logging.getLogger()
    for handler in list(root.handlers):
        file.setFormatter(handler.formatter)
        root.removeHandler(handler)
    root.addHandler(file)
    # Django's own handler for requests writes to the terminal, past the root logger.
    requests = logging.getLogger("django.server")
    requests.handlers.clear()
    requests.propagate = True


def errors_to_terminal() -> None:
    """A line for each error; the file has the rest."""
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.ERROR)
    terminal.setFormatter(logging.Formatter("%(levelname)s: %(message)s (see platform.log)"))
    logging.getLogger().addHandler(terminal)
