"""What `manage.py` does before Django starts: attaches the embedded database of the data folder."""

import argparse
import os
import shlex
import sys
from pathlib import Path

from accounts.command_options import billing_date
from localcloud import clock
from localcloud.errors import UnableToStart
from localcloud.ports import DEFAULT_PORT, ensure_free
from localcloud.postgres.embedded import attach, names_database_of

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_DATA = ROOT / ".local"
NEED_NO_DATABASE = {"help", "version", "--help", "-h", "--version"}
SERVING = {"runlocal", "demo"}


def prepare(*, argv: list[str]) -> None:
    """Sets the environment that the settings read, for the command line `argv` (without the program's name).

    Leaves through SystemExit with one line when the database can't be attached, or when the port that the command
    is to serve on is taken: then nothing was started.
    """
    if not argv or argv[0] in NEED_NO_DATABASE or {"--help", "-h", "--version"} & set(argv):
        # Settings load for the list of commands and their options, and nothing connects.
        os.environ.setdefault("DATABASE_URL", "postgres:///none")
        os.environ.setdefault("SECRET_KEY", "none")
        return
    options = _options(argv)
    os.environ["BILLING_DATA"] = str(options.data.resolve())
    try:
        if argv[0] in SERVING and serves(argv[0]):
            ensure_free(port=options.port)
        attach(data=options.data)
        _name_clock(data=options.data)
    except UnableToStart as refusal:
        sys.exit(f"error: {refusal}")
    except KeyboardInterrupt:
        sys.exit(130)


def _name_clock(*, data: Path) -> None:
    """The clock of the data folder is for its own database. Any other database's is the real one."""
    os.environ.pop(clock.VARIABLE, None)
    if names_database_of(data=data):
        os.environ[clock.VARIABLE] = str(clock.file_of(data=data.resolve()))


def data_folder() -> Path:
    """The data folder of this process, as `prepare` found it."""
    return Path(os.environ.get("BILLING_DATA") or DEFAULT_DATA).resolve()


def command_line(command: str) -> str:
    """How a command of `manage.py` is typed at the root of the clone, for this process's data folder."""
    data = data_folder()
    return f".venv/bin/python manage.py {command}{'' if data == DEFAULT_DATA else f' --data {shlex.quote(str(data))}'}"


def clock_line(*, label: str) -> list[str]:
    """For what a serving command announces: the platform's day, where it has one, and how it is moved on."""
    if not os.environ.get(clock.VARIABLE):
        return []
    return [f"  {label}{clock.today()}   (a later one: {command_line('clock --to DATE')})"]


def serves(command: str) -> bool:
    """`DEMO_SERVE=0 make demo` ends after its work instead of serving."""
    return command != "demo" or os.environ.get("DEMO_SERVE", "1") != "0"


def _options(argv: list[str]) -> argparse.Namespace:
    """Only the options that matter before Django; the command itself reads them again, and refuses what is wrong."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    # Refused in a line, before anything is started.
    if option := {"runlocal": "--today", "demo": "--today", "clock": "--to"}.get(argv[0]):
        parser.add_argument(option, type=billing_date)
    try:
        return parser.parse_known_args(argv)[0]
    except argparse.ArgumentError as error:
        sys.exit(f"error: {error}")
