"""Whether a process works only on this machine, so that its clock may be moved."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from localcloud import clock
from localcloud.errors import UnableToMove
from localcloud.platform import gateway as platform_gateway
from localcloud.platform.gateway import LOOPBACK, PlatformGateway


def ensure_local() -> None:
    """Raises UnableToMove where the database, the queue or the payment provider isn't the local platform's."""
    if not os.environ.get(clock.VARIABLE):
        raise UnableToMove(
            "only the platform of a data folder on this machine has a clock of its own: "
            "unset DATABASE_URL and DATABASE_SECRET_ARN"
        )
    queue, endpoint = settings.REBILLING_QUEUE_URL, os.environ.get("AWS_ENDPOINT_URL", "")
    if (queue and not _of_this_machine(queue)) or ((queue or endpoint) and not _of_this_machine(endpoint)):
        raise UnableToMove("the queue isn't of this machine: unset REBILLING_QUEUE_URL and AWS_ENDPOINT_URL")
    _ensure_no_money(platform_gateway.configured(), advice="unset PAYMENT_GATEWAY")


def ensure_platform_local(*, data: Path) -> None:
    """Raises UnableToMove where the platform that runs on the data folder collects by a gateway that may move money."""
    _ensure_no_money(platform_gateway.of_platform(data=data), advice="start the platform again without PAYMENT_GATEWAY")


def _ensure_no_money(found: PlatformGateway, *, advice: str) -> None:
    if not found.moves_no_money:
        raise UnableToMove(
            f"payments would be collected by {found}, and only the logging gateway and a provider on this machine are "
            f"known to move no money: {advice}"
        )


def _of_this_machine(url: str) -> bool:
    return urlsplit(url).hostname in LOOPBACK
