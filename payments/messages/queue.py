"""The queue to the worker: SQS."""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Protocol, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.utils.functional import SimpleLazyObject

from accounts.aws import aws_client
from payments.messages.format import Message, to_json

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

BATCH_MESSAGES = 10
BATCH_BYTES = 256 * 1024
"""The most that SendMessageBatch takes, all bodies together (Amazon SQS quotas)."""
ATTEMPTS = 3


class QueueNotConfigured(Exception):
    """No queue is configured; locally, `runlocal` isn't running."""


class UnableToSend(Exception):
    """The queue can't be reached, or refused messages repeatedly. Their payments and periods are sent again later."""


class Queue(Protocol):
    def send(self, messages: Iterable[Message]) -> int:
        """Send each message once, in batches as they come. Returns how many. Raises `UnableToSend`."""
        ...


class SqsQueue:
    """An SQS queue."""

    def __init__(self, *, url: str, client: "SQSClient") -> None:
        self.url = url
        self.client = client

    def send(self, messages: Iterable[Message]) -> int:
        sent = 0
        batch: list[str] = []
        size = 0
        for body in map(to_json, messages):
            # Bodies are ASCII: json.dumps escapes the rest, so a character is a byte.
            if batch and (len(batch) == BATCH_MESSAGES or size + len(body) > BATCH_BYTES):
                sent += self._send_batch(batch)
                batch, size = [], 0
            batch.append(body)
            size += len(body)
        return sent + (self._send_batch(batch) if batch else 0)

    def _send_batch(self, bodies: list[str]) -> int:
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(index), "MessageBody": body} for index, body in enumerate(bodies)
        ]
        failures: list[str] = []
        for _ in range(ATTEMPTS):
            try:
                answer = self.client.send_message_batch(QueueUrl=self.url, Entries=entries)
            except (BotoCoreError, ClientError) as error:
                raise UnableToSend(f"The queue can't be reached, or refuses: {error}") from error
            failed = {failure["Id"] for failure in answer.get("Failed", [])}
            if not failed:
                return len(bodies)
            failures = [f"{failure['Code']}: {failure.get('Message', '')}" for failure in answer["Failed"]]
            entries = [entry for entry in entries if entry["Id"] in failed]
        raise UnableToSend(f"{len(entries)} of {len(bodies)} messages were refused {ATTEMPTS} times: {failures[0]}")


@cache
def _sqs(url: str) -> SqsQueue:
    # It times out well within the 29 seconds that an API request has: the hourly check sends what wasn't sent.
    config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    # Made with the first message that is sent: most events send none.
    client = SimpleLazyObject(lambda: aws_client("sqs", config=config))
    return SqsQueue(url=url, client=cast("SQSClient", client))


def connected_queue(url: str) -> SqsQueue:
    """The queue at this address, with one client for the life of the process."""
    return _sqs(url)


def configured_queue() -> SqsQueue:
    """The queue of `REBILLING_QUEUE_URL`. Raises `QueueNotConfigured`."""
    if not settings.REBILLING_QUEUE_URL:
        raise QueueNotConfigured(
            "There is no queue: set REBILLING_QUEUE_URL or, on your own machine, start `manage.py runlocal` with the "
            "same --data."
        )
    return connected_queue(settings.REBILLING_QUEUE_URL)
