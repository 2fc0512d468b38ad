"""Where a running `runlocal` has its SQS: it leaves a file in the data folder, and other commands find it there."""

import contextlib
import hashlib
import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from localcloud.private_files import replace_text

REGION = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class QueueEndpoint:
    endpoint_url: str
    queue_url: str
    dead_letter_queue_url: str


def leave(*, data: Path, endpoint: QueueEndpoint) -> None:
    """Writes where this process serves SQS, for commands on the same data and database."""
    record = asdict(endpoint) | {"pid": os.getpid(), "database": _database()}
    replace_text(path=_file(data), text=json.dumps(record))


def remove(*, data: Path) -> None:
    _file(data).unlink(missing_ok=True)


def running(*, data: Path) -> QueueEndpoint | None:
    """The endpoint that was left there, if its process lives and answers and works on our database."""
    try:
        record = json.loads(_file(data).read_text())
        pid, database = int(record.pop("pid")), record.pop("database")
        endpoint = QueueEndpoint(**record)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    alive = database == _database() and _lives(pid) and _answers(endpoint.endpoint_url)
    return endpoint if alive else None


def use(*, endpoint: QueueEndpoint) -> None:
    """Points boto3 and the settings to come at the endpoint. Real credentials never go to it."""
    os.environ["AWS_ENDPOINT_URL"] = endpoint.endpoint_url
    os.environ["AWS_ACCESS_KEY_ID"] = "local"
    os.environ["AWS_SECRET_ACCESS_KEY"] = "local"  # noqa: S105 - no secret: the server takes any
    os.environ["AWS_DEFAULT_REGION"] = REGION
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        os.environ.pop(name, None)
    os.environ["REBILLING_QUEUE_URL"] = endpoint.queue_url
    os.environ["REBILLING_DLQ_URL"] = endpoint.dead_letter_queue_url


def _file(data: Path) -> Path:
    return data / "queue.json"


def _database() -> str:
    """Tells databases apart without writing a password down."""
    return hashlib.sha256(os.environ.get("DATABASE_URL", "").encode()).hexdigest()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _answers(url: str) -> bool:
    address = urlsplit(url)
    with contextlib.suppress(OSError), socket.create_connection((address.hostname, address.port or 80), timeout=1):
        return True
    return False
