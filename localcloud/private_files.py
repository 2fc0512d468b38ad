"""Files of a data folder that only its owner may read: they hold keys, customers' data, or the way to them."""

import os
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700


def make_folder(path: Path) -> None:
    """Makes the folder where it isn't there, for its owner alone. One that is there is left as its owner has it."""
    path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)


def open_private(path: str, flags: int) -> int:
    """An `opener` for `open` and for log handlers: a file that it makes is its owner's, whatever the umask."""
    return os.open(path, flags, FILE_MODE)


def replace_text(*, path: Path, text: str) -> None:
    """Writes the file whole or not at all: readers find what was there before or all of `text`."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with open(unfinished, "w", encoding="utf-8", opener=open_private) as file:
        file.write(text)
    unfinished.rename(path)
