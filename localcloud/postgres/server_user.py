"""The system user that PostgreSQL runs as. It refuses to run as root, so root lends it to another user."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from localcloud.errors import UnableToStart

SYSTEM_USER = "pgserver"


@dataclass(frozen=True)
class ServerUser:
    uid: int
    gid: int


def server_user(*, cluster: Path) -> ServerUser:
    """Whoever owns the cluster; for a new one ourselves, or the user `pgserver` when we are root.

    Raises UnableToStart when the cluster is another user's and we aren't root, or there is no user to lend it to.
    """
    if cluster.exists():
        owner = cluster.stat()
        if owner.st_uid != 0 and os.geteuid() in (0, owner.st_uid):
            return ServerUser(uid=owner.st_uid, gid=owner.st_gid)
        if owner.st_uid != os.geteuid():
            raise UnableToStart(
                f"the data in {cluster} belongs to another user: name another folder with --data or BILLING_DATA"
            )
    if os.geteuid() != 0:
        return ServerUser(uid=os.geteuid(), gid=os.getegid())
    entry = _system_user()
    return ServerUser(uid=entry.pw_uid, gid=entry.pw_gid)


def _system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    try:
        subprocess.run(command, capture_output=True, check=False)
        return pwd.getpwnam(SYSTEM_USER)
    except (KeyError, OSError) as error:
        raise UnableToStart(
            f"PostgreSQL doesn't run as root, and the user {SYSTEM_USER} couldn't be made: run as a plain user"
        ) from error


def let_in(*, user: ServerUser, folders: list[Path]) -> None:
    """Lets the server's user pass through to the folders. Only root needs it, and only execute permission is added."""
    if user.uid == os.geteuid():
        return
    for above in {parent for folder in folders for parent in folder.parents}:
        mode = above.stat().st_mode
        if not mode & 0o001:
            above.chmod(mode | 0o001)


def let_read(*, user: ServerUser, folder: Path) -> None:
    """Lets the server's user read and run what is in a folder, however strict the umask was when it was installed."""
    if user.uid == os.geteuid():
        return
    for path in [folder, *folder.rglob("*")]:
        mode = path.stat().st_mode
        wanted = mode | (0o005 if path.is_dir() or mode & 0o100 else 0o004)
        if wanted != mode:
            path.chmod(wanted)
