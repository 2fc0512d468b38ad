"""The embedded platform of a data folder, attached to this process before Django's settings load.

Each process that uses the embedded PostgreSQL holds a shared lock on a file in the data folder for its life, and
the last one out stops the server. After a SIGKILL the server goes on; the next process finds it, uses it and
stops it at its end. What is in the environment already always wins.
"""

import atexit
import fcntl
import logging
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud.errors import UnableToStart
from localcloud.postgres import server as postgres
from localcloud.postgres.roles import APPLICATION_ROLE, OWNER_ROLE, database_url, ensure_roles
from localcloud.private_files import make_folder, open_private, replace_text
from localcloud.signals import end_by_exit, held_back
from localcloud.sqs import endpoint as queue_endpoint

LOOK_SECONDS = 0.5
PAUSE_AFTER_ERROR_SECONDS = 10

_logger = logging.getLogger(__name__)


def attach(*, data: Path, durable: bool = True) -> None:
    """Sets `DATABASE_URL`, `DATABASE_OWNER_URL` and what else the settings need, where it isn't set.

    Without a `DATABASE_URL` (or `DATABASE_SECRET_ARN`) the PostgreSQL in `data` is started, or used if it runs;
    `durable=False` gives up the data's safety for speed when it is this call that starts it. The queue is set when a
    `runlocal` of the same data folder and database is running. Raises UnableToStart.
    """
    data = data.resolve()
    if not os.environ.get("DATABASE_URL") and not os.environ.get("DATABASE_SECRET_ARN"):
        _attach_database(data=data, durable=durable)
    if not os.environ.get("AWS_ENDPOINT_URL") and not os.environ.get("REBILLING_QUEUE_URL"):
        endpoint = queue_endpoint.running(data=data)
        if endpoint is not None:
            queue_endpoint.use(endpoint=endpoint)


def names_database_of(*, data: Path) -> bool:
    """Whether `DATABASE_URL` is that of the PostgreSQL that runs in `data`, as `attach` or somebody else set it."""
    socket_folder = postgres.running(cluster=data.resolve() / "postgres")
    if socket_folder is None:
        return False
    urls = {database_url(socket_folder=socket_folder, role=role) for role in (APPLICATION_ROLE, OWNER_ROLE)}
    return os.environ.get("DATABASE_URL") in urls


def _attach_database(*, data: Path, durable: bool) -> None:
    try:
        make_folder(data)
        users = _open_lock(data / "postgres.users")
        starting = _open_lock(data / "postgres.starting")
    except OSError as error:
        raise UnableToStart(f"{error.strerror}: {error.filename} (--data or BILLING_DATA names another)") from error
    cluster, process = data / "postgres", os.getpid()

    def leave() -> None:
        if os.getpid() == process:  # not in a child that was forked and shares our lock
            _leave(users=users, starting=starting, cluster=cluster)

    end_by_exit()
    with held_back(), _alone(starting):
        fcntl.flock(users, fcntl.LOCK_SH)
        atexit.register(leave)
        socket_folder = postgres.ensure_running(cluster=cluster, durable=durable)
        ensure_roles(socket_folder=socket_folder)
        secret_key = _secret_key(data)
    _set_environment(socket_folder=socket_folder, secret_key=secret_key)


def keep_running(*, data: Path, stopping: threading.Event) -> None:
    """Starts the data folder's PostgreSQL again when it was killed, until `stopping` is set. For a process
    that uses it.
    """
    cluster, starting = data / "postgres", _open_lock(data / "postgres.starting")
    try:
        while not stopping.wait(LOOK_SECONDS):
            if postgres.running(cluster=cluster) is not None:
                continue
            _logger.error("PostgreSQL has gone and is started again")
            try:
                # A lock of this thread's own: the one that `attach` opened is the main thread's, for leaving.
                with _alone(starting):
                    postgres.ensure_running(cluster=cluster, durable=True)
            except UnableToStart:
                _logger.exception("PostgreSQL couldn't be started again")
                stopping.wait(PAUSE_AFTER_ERROR_SECONDS)
    finally:
        os.close(starting)


def _leave(*, users: int, starting: int, cluster: Path) -> None:
    """Gives up our use of the server, and stops it when no other process uses it."""
    with held_back(deliver_after=False), _alone(starting):
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        finally:
            # A try that fails gives the shared lock up too. Nobody starts or stops meanwhile: `starting` is held.
            fcntl.flock(users, fcntl.LOCK_UN)
        postgres.stop(cluster=cluster)


@contextmanager
def _alone(starting: int) -> Iterator[None]:
    fcntl.flock(starting, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(starting, fcntl.LOCK_UN)


def _open_lock(path: Path) -> int:
    return open_private(str(path), os.O_RDONLY | os.O_CREAT)


def _secret_key(data: Path) -> str:
    """This data folder's key, made at the first use and kept, so that sessions outlive a restart."""
    path = data / "secret_key"
    if not path.exists():
        replace_text(path=path, text=secrets.token_urlsafe(48))
    return path.read_text()


def _set_environment(*, socket_folder: Path, secret_key: str) -> None:
    os.environ["DATABASE_URL"] = database_url(socket_folder=socket_folder, role=APPLICATION_ROLE)
    os.environ["DATABASE_OWNER_URL"] = database_url(socket_folder=socket_folder, role=OWNER_ROLE)
    os.environ.setdefault("SECRET_KEY", secret_key)
    os.environ.setdefault("ALLOWED_HOSTS", "127.0.0.1,localhost")
    # Nothing on this machine speaks HTTPS.
    os.environ.setdefault("SECURE", "false")
    # For `manage.py dbshell`, which doesn't read the socket's folder from the settings.
    os.environ["PGHOST"] = str(socket_folder)
    os.environ["PATH"] = os.pathsep.join(filter(None, [os.environ.get("PATH"), str(postgres.programs())]))
