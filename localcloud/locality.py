"""Whether all that a process works on is of this machine, so that its time may be moved."""

import os
from urllib.parse import urlsplit

from django.conf import settings

from localcloud import clock
from localcloud.refusals import UnableToMove

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
STRIPE = "payments.gateways.stripe_gateway.StripeGateway"


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
    if settings.PAYMENT_GATEWAY == STRIPE and not _of_this_machine(settings.STRIPE_API_BASE):
        raise UnableToMove("payments would be collected at Stripe itself: unset PAYMENT_GATEWAY")


def _of_this_machine(url: str) -> bool:
    return urlsplit(url).hostname in LOOPBACK
