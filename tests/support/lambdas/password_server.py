"""A PostgreSQL that asks for passwords, over TCP, as RDS does: its owner isn't a superuser, and makes roles."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from localcloud.postgres import server as postgres
from localcloud.postgres.server_user import server_user

HOST = "127.0.0.1"
DATABASE = "billing"
OWNER = "billing_master"
OWNER_PASSWORD = "owner-of-the-tests"

# The superuser comes in by the socket alone, which is in a private folder.
_AUTHENTICATION = f"local all postgres trust\nhost all all {HOST}/32 scram-sha-256\n"


@dataclass(frozen=True)
class PasswordServer:
    port: int
    socket_folder: Path
    log: Path

    def query(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """As the superuser, in the product's database."""
        with closing(self._superuser(DATABASE)) as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """Nobody else comes to the table."""
        with closing(self._superuser(DATABASE)) as connection, connection.cursor() as cursor:
            cursor.execute(f"BEGIN; LOCK TABLE {table}")
            yield
            cursor.execute("ROLLBACK")

    def accepts(self, *, username: str, password: str) -> bool:
        try:
            psycopg2.connect(host=HOST, port=self.port, user=username, password=password, dbname=DATABASE).close()
        except psycopg2.OperationalError as error:
            if "password authentication failed" not in str(error):
                raise
            return False
        return True

    def _superuser(self, database: str) -> Any:
        connection = psycopg2.connect(host=str(self.socket_folder), port=self.port, user="postgres", dbname=database)
        connection.autocommit = True
        return connection


@contextmanager
def password_server() -> Iterator[PasswordServer]:
    """A server with an owner and an empty database, until the block ends. Its log has every statement."""
    # Not below pytest's own folder: each start of pytest by root closes that to PostgreSQL's user.
    folder = Path(tempfile.mkdtemp(prefix="billing-passwords-")).resolve()
    cluster = folder / "postgres"
    user = server_user(cluster=cluster)
    try:
        postgres._make(cluster=cluster, user=user)
        (cluster / "pg_hba.conf").write_text(_AUTHENTICATION)
        port, sockets = _free_port(), postgres._socket_folder(cluster=cluster, user=user)
        settings = postgres.SETTINGS | postgres.NOT_DURABLE
        settings |= {"listen_addresses": HOST, "port": str(port), "unix_socket_directories": str(sockets)}
        settings |= {"log_statement": "all", "max_connections": "40"}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        log = cluster / "server.log"
        done = postgres._run("pg_ctl", "start", "-D", cluster, "-l", log, "-w", "-o", options, user=user)
        assert done.returncode == 0, done.stdout + (log.read_text() if log.exists() else "")
        server = PasswordServer(port, sockets, log)
        with closing(server._superuser("postgres")) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {OWNER} LOGIN CREATEDB CREATEROLE PASSWORD '{OWNER_PASSWORD}'")
            cursor.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
        yield server
    finally:
        postgres.stop(cluster=cluster)
        shutil.rmtree(folder)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port
