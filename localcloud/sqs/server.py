"""SQS on loopback: moto's server in this process, with the product's queue and its dead-letter queue.

Messages live in memory, so a restart loses them. As in the cloud, `reconcile` sends again what is still DUE, and
`runlocal` runs it when it starts.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from django.core.exceptions import ImproperlyConfigured
from moto.server import ThreadedMotoServer

from billing_site.environment import Environment
from localcloud.errors import UnableToStart
from localcloud.ports import HOST
from localcloud.sqs.endpoint import REGION, QueueEndpoint

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

QUEUE = "rebilling"
DEAD_LETTER_QUEUE = "rebilling-dlq"
MAX_RECEIVES = 5
VISIBILITY_TIMEOUT_SECONDS = 180
"""Longer than an invocation may take; as Terraform sets it."""


@contextmanager
def local_sqs(*, visibility_timeout_seconds: int | None = None) -> Iterator[QueueEndpoint]:
    """Serves SQS on a port that the system chooses while the block runs, both queues made.

    The visibility timeout is `LOCAL_VISIBILITY_TIMEOUT_SECONDS` of the environment unless given, or 180 seconds.
    """
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = create_queues(
            endpoint_url=f"http://{host}:{port}", visibility_timeout_seconds=visibility_timeout_seconds
        )
        try:
            yield endpoint
        finally:
            # moto keeps queues for the life of the process, and a second server in it would have the same ones.
            delete_queues(endpoint_url=endpoint.endpoint_url)
    finally:
        server.stop()


def create_queues(*, endpoint_url: str, visibility_timeout_seconds: int | None = None) -> QueueEndpoint:
    """Makes the product's two queues at an endpoint, where they aren't there. Raises UnableToStart for a bad time."""
    client = client_of(endpoint_url=endpoint_url)
    dead_letters = client.create_queue(QueueName=DEAD_LETTER_QUEUE)["QueueUrl"]
    found = client.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])
    redrive = {"deadLetterTargetArn": found["Attributes"]["QueueArn"], "maxReceiveCount": MAX_RECEIVES}
    seconds = visibility_timeout_seconds
    if seconds is None:
        try:
            seconds = Environment().int("LOCAL_VISIBILITY_TIMEOUT_SECONDS", default=VISIBILITY_TIMEOUT_SECONDS)
        except ImproperlyConfigured as error:
            raise UnableToStart(str(error)) from error
    queue = client.create_queue(
        QueueName=QUEUE,
        Attributes={"VisibilityTimeout": str(seconds), "RedrivePolicy": json.dumps(redrive)},
    )
    return QueueEndpoint(endpoint_url=endpoint_url, queue_url=queue["QueueUrl"], dead_letter_queue_url=dead_letters)


def delete_queues(*, endpoint_url: str) -> None:
    """Deletes all queues of an endpoint, with the messages in them."""
    client = client_of(endpoint_url=endpoint_url)
    for url in client.list_queues().get("QueueUrls", []):
        client.delete_queue(QueueUrl=url)


def client_of(*, endpoint_url: str) -> "SQSClient":
    """A client of a local SQS, whatever credentials the environment holds: real ones never go to it."""
    return boto3.client(
        "sqs",
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - no secret: the server takes any
    )
