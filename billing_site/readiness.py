"""Whether a function can work at all: its settings, its database and its queue."""

from botocore.exceptions import BotoCoreError, ClientError
from django.core import checks
from django.db import Error, connections
from django.db.migrations.executor import MigrationExecutor

from billing_site.duties import Duty
from billing_site.refusals import UnableToStart
from rebilling.queue import configured_queue


def refuse_unless_ready(here: frozenset[Duty]) -> None:
    """Raises `UnableToStart` with one line that says what to mend. `here` are the function's duties."""
    _refuse_settings(here)
    if here & {Duty.API, Duty.WORKER}:
        _refuse_database()
        _refuse_queue()


def _refuse_settings(here: frozenset[Duty]) -> None:
    # Django's own checks of what a site must have before it is shown to the world are for the one that is.
    tags = ["production", checks.Tags.security] if Duty.API in here else ["production"]
    found = checks.run_checks(tags=tags, include_deployment_checks=True)
    if found:
        # Django's hints run over lines, and its messages too.
        text = " ".join(f"{found[0].msg} {found[0].hint or ''}".split())
        raise UnableToStart(f"{text} ({found[0].id})")


def _refuse_database() -> None:
    """An unapplied migration is one that this release's code counts on. More than it knows is a release rolled back."""
    try:
        executor = MigrationExecutor(connections["default"])
        unapplied = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error as error:
        what = str(error).strip().splitlines()[0]
        raise UnableToStart(f"the database can't be used: {what}") from error
    if unapplied:
        first = unapplied[0][0]
        raise UnableToStart(
            f"{len(unapplied)} migrations aren't applied, the first {first.app_label}.{first.name}: run `zappa manage "
            "<stage>_migrate migrate` with this release"
        )


def _refuse_queue() -> None:
    queue = configured_queue()
    try:
        queue.client.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["QueueArn"])
    except (BotoCoreError, ClientError) as error:
        what = " ".join(str(error).split())
        raise UnableToStart(f"the queue in REBILLING_QUEUE_URL can't be used: {what}") from error
