"""Dead letters: messages that failed again and again. They are shown, and what a person says is sent back.

A queue can't be looked into: what is looked at is received, hidden from others for a while, and shown again after.
"""

import datetime
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from rebilling.known_items import faults_of
from rebilling.message import AnyMessage, MalformedMessage, from_json
from rebilling.queue import QueueNotConfigured, SqsQueue, connected_queue

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import MessageTypeDef

MOST_LETTERS = 1000
"""Looked at in one go, at most. Half a million periods are in so many."""
HIDDEN_SECONDS = 120
WAIT_SECONDS = 1
EMPTY_ANSWERS = 2
"""One empty answer isn't the end: each asks only some of the queue's servers."""


class UnableToRedrive(Exception):
    """A queue can't be reached or refuses, or a letter isn't one to be moved so. What wasn't moved is where it was."""


@dataclass(frozen=True)
class DeadLetter:
    """A message in the dead-letter queue. `receives` counts how often it was received, our looks included."""

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
        """What it carries, or why nobody can tell."""
        try:
            return from_json(self.body)
        except MalformedMessage as error:
            return error

    @cached_property
    def fault(self) -> str:
        """Why it can only fail again, or an empty string. What is sound of it was done each time it was received."""
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


def look(*, dead: SqsQueue) -> list[DeadLetter]:
    """The letters that can be received now, oldest first, hidden from others until `put_back`, or for two minutes.

    Raises `UnableToRedrive`.
    """
    try:
        return sorted(_received(dead), key=lambda letter: (letter.sent_at, letter.message_id))
    except (BotoCoreError, ClientError) as error:
        raise UnableToRedrive(f"The dead-letter queue can't be read: {error}") from error


def send_back(*, letters: Collection[DeadLetter], dead: SqsQueue, queue: SqsQueue) -> Iterator[DeadLetter]:
    """Send letters to the queue as they are, and yield each that was moved.

    Each is deleted only once it was sent: cut off between the two it is in both, and what is done twice is charged
    once. Those with a fault are passed over: they would only fail again. Raises `UnableToRedrive`.
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
    """Delete letters that can only fail again. Raises `UnableToRedrive`, and deletes none, when one of them may not."""
    for letter in letters:
        if not letter.fault:
            raise UnableToRedrive(f"Nothing is wrong with the letter {letter.message_id}: send it, don't discard it.")
    try:
        for letter in letters:
            dead.client.delete_message(QueueUrl=dead.url, ReceiptHandle=letter.receipt)
    except (BotoCoreError, ClientError) as error:
        raise UnableToRedrive(f"The dead-letter queue refuses to delete: {error}") from error


def put_back(*, letters: Collection[DeadLetter], dead: SqsQueue) -> None:
    """Show letters to others again. One that can't be shown shows itself when its two minutes are over."""
    for letter in letters:
        try:
            dead.client.change_message_visibility(QueueUrl=dead.url, ReceiptHandle=letter.receipt, VisibilityTimeout=0)
        except (BotoCoreError, ClientError):
            return


def _received(dead: SqsQueue) -> list[DeadLetter]:
    letters: dict[str, DeadLetter] = {}
    empty = 0
    while empty < EMPTY_ANSWERS and len(letters) < MOST_LETTERS:
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
