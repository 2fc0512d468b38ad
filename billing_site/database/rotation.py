"""Secrets Manager's rotation of the application's password, in its four steps.

Each step may run again, wherever it was interrupted, and continues from what it finds. The role changes its own
password, as any role may, so that no step needs the owner. Open sessions go on; a process that connects meanwhile with
the old password reads the secret again (`billing_site/database/postgresql`).
"""

import json
import logging
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
from django.conf import settings
from django.db import connections
from psycopg2.extensions import connection

from billing_site.database.application_role import set_password
from billing_site.database.credentials import Credentials
from billing_site.database.postgresql.base import is_refused_password
from billing_site.errors import UnroutedEvent
from billing_site.secrets.store import CURRENT, PENDING, NoSuchVersion, client, whole_secret

logger = logging.getLogger(__name__)

PASSWORD_BYTES = 32


class UnableToRotate(Exception):
    """The rotation can't go on; the text says how to fix it. Secrets Manager retries by itself."""


def rotate(*, step: str, secret_id: str, token: str) -> dict[str, Any]:
    """Takes one step for the version `token`. A version that is current already has nothing left to do.

    Raises `UnroutedEvent` for another secret or an unknown step, `UnableToRotate`, and `UnableToReadSecret`.
    """
    arn = settings.DATABASE_APPLICATION_SECRET_ARN
    if not arn or secret_id != arn or step not in _STEPS:
        raise UnroutedEvent(f"no handler for the step {step!r} of the secret {secret_id}")
    labels: dict[str, list[str]] = client().describe_secret(SecretId=arn)["VersionIdsToStages"]
    of_version = labels.get(token, [])
    if CURRENT in of_version:
        return {"step": step, "done": False}
    if PENDING not in of_version:
        raise UnableToRotate(f"the version {token} of {arn} isn't pending: its rotation was cancelled, or never began")
    _STEPS[step](arn, token)
    logger.info("a step of the rotation was taken", extra={"event": "rotation.step", "step": step, "version": token})
    return {"step": step, "done": True}


def _create_secret(arn: str, token: str) -> None:
    """A new password is written down before anything has it. One that is written down is kept: a cut-off attempt may
    have given it to the database.
    """
    try:
        whole_secret(arn=arn, stage=PENDING, version=token)
    except NoSuchVersion:
        fields = whole_secret(arn=arn) | {"password": secrets.token_urlsafe(PASSWORD_BYTES)}
        client().put_secret_value(
            SecretId=arn, ClientRequestToken=token, SecretString=json.dumps(fields), VersionStages=[PENDING]
        )


def _set_secret(arn: str, token: str) -> None:
    pending = Credentials.read(arn=arn, stage=PENDING, version=token)
    current = Credentials.read(arn=arn)
    if pending.username != current.username:
        raise UnableToRotate(f"the versions of {arn} name two roles: write the pending one anew")
    if _is_accepted(pending):
        return
    try:
        with _connected(current) as own:
            set_password(connection=own, credentials=pending)
    except psycopg2.OperationalError as error:
        if not is_refused_password(error):
            raise
        raise UnableToRotate(
            f"the database refuses both passwords of {arn}: run `zappa manage <stage>_migrate prepare_database`, which "
            "gives the role the current one"
        ) from None


def _test_secret(arn: str, token: str) -> None:
    if not _is_accepted(Credentials.read(arn=arn, stage=PENDING, version=token)):
        raise UnableToRotate(f"the database refuses the pending password of {arn}: the rotation must set it again")


def _finish_secret(arn: str, token: str) -> None:
    # What becomes current here is what every new environment connects with.
    _test_secret(arn, token)
    labels: dict[str, list[str]] = client().describe_secret(SecretId=arn)["VersionIdsToStages"]
    (before,) = (version for version, stages in labels.items() if CURRENT in stages)
    client().update_secret_version_stage(
        SecretId=arn, VersionStage=CURRENT, MoveToVersionId=token, RemoveFromVersionId=before
    )


_STEPS = {
    "createSecret": _create_secret,
    "setSecret": _set_secret,
    "testSecret": _test_secret,
    "finishSecret": _finish_secret,
}


def _is_accepted(credentials: Credentials) -> bool:
    try:
        with _connected(credentials) as made, made.cursor() as cursor:
            cursor.execute("SELECT 1")
    except psycopg2.OperationalError as error:
        if is_refused_password(error):
            return False
        raise
    return True


@contextmanager
def _connected(credentials: Credentials) -> Iterator[connection]:
    """A session of its own to the application's database, each statement its own transaction."""
    parameters = connections["default"].get_connection_params() | credentials.parameters()
    with closing(psycopg2.connect(**parameters)) as made:
        made.autocommit = True
        yield made
