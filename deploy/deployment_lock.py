"""One deployment of an environment at a time: a locked file in this clone, and an object in the state's bucket."""

import fcntl
import getpass
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from deploy.cloud import code_of, one_line_errors
from deploy.environment import BUILD, ROOT
from deploy.errors import UnableToShip


@contextmanager
def the_clone_to_ourselves() -> Iterator[None]:
    """Terraform is at one environment's state at a time. The lock goes with the process, however it ends.

    Raises UnableToShip while another deployment runs in this clone.
    """
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "deployment.lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnableToShip("another deployment runs in this clone: wait for its end") from error
        yield


@contextmanager
def the_environment_to_ourselves(*, s3: Any, bucket: str, name: str) -> Iterator[None]:
    """The same for other machines. One that was cut off in this clone is taken over: the clone is ours.

    Raises UnableToShip while another machine deploys the environment.
    """
    key = f"{name}.deploying"
    ours = json.dumps({"by": getpass.getuser(), "on": socket.gethostname(), "in": str(ROOT)})
    with one_line_errors():
        _taken(s3, bucket=bucket, key=key, ours=ours)
    try:
        yield
    finally:
        with one_line_errors():
            s3.delete_object(Bucket=bucket, Key=key)


def _taken(s3: Any, *, bucket: str, key: str, ours: str) -> None:
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=ours.encode(), IfNoneMatch="*")
    except ClientError as error:
        if code_of(error) not in {"PreconditionFailed", "ConditionalRequestConflict"}:
            if code_of(error) == "NoSuchBucket":
                raise UnableToShip(f"the bucket {bucket} isn't there: run `make bootstrap`") from error
            raise
        found = s3.get_object(Bucket=bucket, Key=key)
        theirs = found["Body"].read().decode()
        if theirs == ours:
            return
        holder = json.loads(theirs)
        raise UnableToShip(
            f"{holder['by']} on {holder['on']} deploys this environment since {found['LastModified']:%Y-%m-%d %H:%M} "
            f"UTC: wait for its end. If it was cut off: aws s3 rm s3://{bucket}/{key}"
        ) from error
