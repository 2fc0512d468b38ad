"""Zappa's zip, rewritten so that the same files give the same bytes."""

import zipfile
from pathlib import Path

# It names this machine's user and the time, and nothing reads it.
UNWANTED = {"package_info.json"}
# Zappa makes a package of every folder, those of byte code too. Django would look for template tags in them.
NO_PACKAGE = "__pycache__/__init__.py"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip can hold."""


def write_reproducibly(zip_path: Path) -> None:
    """Sorts the files, gives all of them one date and mode, and leaves out what describes this machine.

    Of two files of one name the later is kept, as unpacking would.
    """
    unfinished = zip_path.with_suffix(".unfinished")
    with zipfile.ZipFile(zip_path) as made, zipfile.ZipFile(unfinished, "w") as written:
        for name in sorted(name for name in {*made.namelist()} - UNWANTED if not name.endswith(NO_PACKAGE)):
            entry = zipfile.ZipInfo(name, date_time=EPOCH)
            entry.create_system = 3  # Unix, so that the mode counts
            entry.external_attr = 0o644 << 16
            written.writestr(entry, made.read(name), compress_type=zipfile.ZIP_DEFLATED, compresslevel=9)
    unfinished.replace(zip_path)
