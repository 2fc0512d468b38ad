"""Whether a function can work at all: its settings, its database and its queue."""

import pkgutil
from pathlib import Path

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.apps import apps
from django.conf import settings
from django.core import checks
from django.db import Error, connections

from accounts.aws import aws_client
from billing_site.errors import UnableToStart
from billing_site.lambda_function.duties import Duty

UNVERIFIED = ("certificate verify failed", "does not match host name")
"""In libpq's text: a failed connection has no code."""


def refuse_unless_ready(here: frozenset[Duty]) -> None:
    """Raises `UnableToStart` with one line that says how to fix it. `here` are the function's duties."""
    _refuse_settings(here)
    if here & {Duty.API, Duty.WORKER}:
        _refuse_database()
        _refuse_queue()


def _refuse_settings(here: frozenset[Duty]) -> None:
    # Django's security checks are for a function that serves a site.
    of_a_site = [checks.Tags.security, checks.Tags.compatibility] if Duty.API in here else []
    for tag in ("production", "payments", "rebilling", *of_a_site):
        found = checks.run_checks(tags=[tag], include_deployment_checks=True)
        if found:
            # Django's messages may run over lines.
            raise UnableToStart(f"{' '.join(found[0].msg.split())} ({found[0].id})")


def _refuse_database() -> None:
    """This release's code needs every migration that it has. Unknown ones mean that the release was rolled back."""
    try:
        applied = _applied_migrations()
    except Error as error:
        # One line for each address of the host.
        what = " ".join(str(error).split())
        if any(text in what for text in UNVERIFIED):
            what += ": download RDS's bundle anew and make the package, or look at DATABASE_HOST"
        raise UnableToStart(f"the database can't be used: {what}") from error
    unapplied = [migration for migration in migrations_of_this_release() if migration not in applied]
    if unapplied:
        first = ".".join(unapplied[0])
        raise UnableToStart(
            f"{len(unapplied)} migrations aren't applied, the first {first}: run `zappa manage "
            "<stage>_migrate migrate` with this release"
        )


def migrations_of_this_release() -> list[tuple[str, str]]:
    """The app and the name of each. By their files: to load them all takes as long as to load the models."""
    return [
        (app.label, module.name)
        for app in apps.get_app_configs()
        for module in pkgutil.iter_modules([str(Path(app.path) / "migrations")])
    ]


def _applied_migrations() -> set[tuple[str, str]]:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT to_regclass('django_migrations')")
        if cursor.fetchone() == (None,):
            return set()
        cursor.execute("SELECT app, name FROM django_migrations")
        return {*cursor.fetchall()}


def _refuse_queue() -> None:
    """With shorter time-outs than work has: Lambda gives a whole start ten seconds."""
    try:
        client = aws_client("sqs", config=Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1}))
        client.get_queue_attributes(QueueUrl=settings.REBILLING_QUEUE_URL, AttributeNames=["QueueArn"])
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and _is_denied(error):
            # Terraform grants our functions this permission on our queue, for this check alone.
            raise UnableToStart(
                "the queue in REBILLING_QUEUE_URL denies this function a look: is it this environment's queue, and do "
                "the function's role and the endpoint of SQS allow sqs:GetQueueAttributes, as Terraform has them?"
            ) from error
        what = " ".join(str(error).split())
        raise UnableToStart(f"the queue in REBILLING_QUEUE_URL can't be used: {what}") from error


def _is_denied(error: ClientError) -> bool:
    return error.response["Error"]["Code"].rsplit(".", 1)[-1].startswith("AccessDenied")
