"""Dead letters: messages that failed repeatedly. A person looks at them, and sends them back or discards them.

Looking at a message of a queue means receiving it, which hides it from others for a while.
"""

import datetime
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from payments.messages.format import MalformedMessage
from payments.messages.queue import QueueNotConfigured, SqsQueue, connected_queue
from rebilling.messages.items import faults_of
from rebilling.messages.message import AnyMessage, from_json

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import MessageTypeDef

MAX_LETTERS = 1000
"""Received at a time, at most. They carry half a million periods."""
HIDDEN_SECONDS = 120
WAIT_SECONDS = 1
EMPTY_ANSWERS = 2
"""One empty answer isn't the end: a request reaches only some of the queue's servers."""


class UnableToRedrive(Exception):
    """A queue can't be reached or refuses, or the letter must not be moved this way. Those not moved stay."""


@dataclass(frozen=True)
class DeadLetter:
    """A message in the dead-letter queue. `receives` counts how often it was received, also by us."""

    message_id: str
    receives: int
    sent_at: datetime.datetime
    body: str
    receipt: str

    @classmethod
    def of(cls, message: "MessageTypeDef") -> "DeadLetter":
        attributes = message["Attributes"]
        return cls(
            message_id=message["MessageId"],
            receives=int(attributes["ApproximateReceiveCount"]),
            sent_at=datetime.datetime.fromtimestamp(int(attributes["SentTimestamp"]) // 1000, datetime.UTC),
            body=message["Body"],
            receipt=message["ReceiptHandle"],
        )

    @cached_property
    def contents(self) -> AnyMessage | MalformedMessage:
        """What it carries, or why it can't be read."""
        try:
            return from_json(self.body)
        except MalformedMessage as error:
            return error

    @cached_property
    def fault(self) -> str:
        """Why it can only fail again, or an empty string. Its other items are done each time it is received."""
        if isinstance(self.contents, MalformedMessage):
            return str(self.contents)
        return "; ".join(faults_of(self.contents))


def configured_dead_letters() -> SqsQueue:
    """The queue of `REBILLING_DLQ_URL`. Raises `QueueNotConfigured`."""
    if not settings.REBILLING_DLQ_URL:
        raise QueueNotConfigured(
            "There is no dead-letter queue: set REBILLING_DLQ_URL or, on your own machine, start `manage.py runlocal` "
            "with the same --data."
        )
    return connected_queue(settings.REBILLING_DLQ_URL)


def receive_letters(*, dead: SqsQueue) -> list[DeadLetter]:
    """The letters that can be received now, oldest first. Raises `UnableToRedrive`.

    They are hidden from others until `release_letters`, or for two minutes.
    """
    try:
        return sorted(_received(dead), key=lambda letter: (letter.sent_at, letter.message_id))
    except (BotoCoreError, ClientError) as error:
        raise UnableToRedrive(f"The dead-letter queue can't be read: {error}") from error


def redrive_letters(*, letters: Collection[DeadLetter], dead: SqsQueue, queue: SqsQueue) -> Iterator[DeadLetter]:
    """Send letters back to the queue unchanged, and yield each that was moved.

    Each is deleted only after it was sent: cut off between the two, it is in both queues, and still charged once. Those
    with a fault are left out: they would only fail again. Raises `UnableToRedrive`.
    """
    for letter in letters:
        if letter.fault:
            continue
        try:
            queue.client.send_message(QueueUrl=queue.url, MessageBody=letter.body)
            dead.client.delete_message(QueueUrl=dead.url, ReceiptHandle=letter.receipt)
        except (BotoCoreError, ClientError) as error:
            raise UnableToRedrive(f"The letter {letter.message_id} can't be moved: {error}") from error
        yield letter


def discard(*, letters: Collection[DeadLetter], dead: SqsQueue) -> None:
    """Delete letters that can only fail again. If one of them has no fault, raises `UnableToRedrive`, deleting none."""
    for letter in letters:
        if not letter.fault:
            raise UnableToRedrive(f"The letter {letter.message_id} has no fault: send it, don't discard it.")
    try:
        for letter in letters:
            dead.client.delete_message(QueueUrl=dead.url, ReceiptHandle=letter.receipt)
    except (BotoCoreError, ClientError) as error:
        raise UnableToRedrive(f"The dead-letter queue refuses to delete: {error}") from error


def release_letters(*, letters: Collection[DeadLetter], dead: SqsQueue) -> None:
    """Make letters visible to others again. Where that fails, they become visible after two minutes."""
    for letter in letters:
        try:
            dead.client.change_message_visibility(QueueUrl=dead.url, ReceiptHandle=letter.receipt, VisibilityTimeout=0)
        except (BotoCoreError, ClientError):
            return


def _received(dead: SqsQueue) -> list[DeadLetter]:
    letters: dict[str, DeadLetter] = {}
    empty = 0
    while empty < EMPTY_ANSWERS and len(letters) < MAX_LETTERS:
        found = dead.client.receive_message(
            QueueUrl=dead.url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=HIDDEN_SECONDS,
            WaitTimeSeconds=WAIT_SECONDS,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        ).get("Messages", [])
        empty = 0 if found else empty + 1
        letters |= {letter.message_id: letter for letter in map(DeadLetter.of, found)}
    return list(letters.values())
