"""Lambda's SQS poller: receives a batch, invokes the function with it, deletes what didn't fail.

What failed is left to the queue's visibility timeout, and after five receives to the dead-letter queue.
"""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.db import connections

from localcloud.invocation import Handler, invoke

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.literals import QueueAttributeNameType
    from types_boto3_sqs.type_defs import DeleteMessageBatchRequestEntryTypeDef, MessageTypeDef

BATCH_SIZE = 10
WAIT_SECONDS = 1
PAUSE_AFTER_ERROR_SECONDS = 2

_logger = logging.getLogger(__name__)


class MalformedResponse(ValueError):
    """The handler's answer isn't one that Lambda understands; it takes the whole batch as failed."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One batch, by number of messages."""

    received: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class Poller:
    client: "SQSClient"
    queue_url: str
    handler: Handler

    def poll(self, *, wait_seconds: int = WAIT_SECONDS, max_messages: int = BATCH_SIZE) -> Delivery:
        """Waits for messages, at most so long, and delivers one batch of up to ten."""
        messages = self.client.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=min(max_messages, BATCH_SIZE),
            WaitTimeSeconds=wait_seconds,
            MessageSystemAttributeNames=["All"],
        ).get("Messages", [])
        if not messages:
            return Delivery(received=0, failed=0)
        failed = self._deliver(messages)
        self._delete([message for message in messages if message["MessageId"] not in failed])
        return Delivery(received=len(messages), failed=len(failed))

    def waiting(self) -> int:
        """How many messages could be received now; those in flight elsewhere and those that failed aren't counted."""
        return self._messages("ApproximateNumberOfMessages")

    def on_queue(self) -> int:
        """How many messages are left: also those in flight, and those that failed and come again."""
        return self._messages(
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        )

    def _messages(self, *names: "QueueAttributeNameType") -> int:
        answer = self.client.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def run(self, *, stopping: threading.Event) -> None:
        """Polls until `stopping` is set. A queue that doesn't answer is logged and polled again."""
        try:
            while not stopping.is_set():
                try:
                    self.poll()
                except Exception:
                    _logger.exception("poll failed")
                    stopping.wait(PAUSE_AFTER_ERROR_SECONDS)
        finally:
            connections.close_all()

    def _deliver(self, messages: list["MessageTypeDef"]) -> frozenset[str]:
        event = {"Records": [self._record(message) for message in messages]}
        ids = frozenset(message["MessageId"] for message in messages)
        try:
            return failed_ids(response=invoke(handler=self.handler, event=event), ids=ids)
        except Exception:
            _logger.exception("batch failed", extra={"messages": sorted(ids)})
            return ids

    def _delete(self, messages: list["MessageTypeDef"]) -> None:
        if not messages:
            return
        entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
            {"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)
        ]
        answer = self.client.delete_message_batch(QueueUrl=self.queue_url, Entries=entries)
        for failure in answer.get("Failed", []):
            # It comes again, and finds its work done.
            _logger.warning("message not deleted", extra={"reason": failure.get("Message", failure["Code"])})

    def _record(self, message: "MessageTypeDef") -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": dict(message.get("Attributes", {})),
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._arn,
            "awsRegion": self._arn.split(":")[3],
        }

    @cached_property
    def _arn(self) -> str:
        answer = self.client.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["QueueArn"])
        return answer["Attributes"]["QueueArn"]


def failed_ids(*, response: object, ids: frozenset[str]) -> frozenset[str]:
    """The messages that a partial batch response names. Lambda takes no answer, or an empty one, for success.

    Raises MalformedResponse for an answer of another shape, or one that names a message that wasn't in the batch.
    """
    if response is None or response == {}:
        return frozenset()
    if not isinstance(response, Mapping):
        raise MalformedResponse(f"not an object: {response!r}")
    failures = response.get("batchItemFailures") or []
    try:
        failed = frozenset(failure["itemIdentifier"] for failure in failures)
    except (TypeError, KeyError) as error:
        raise MalformedResponse(f"batchItemFailures is malformed: {failures!r}") from error
    if not failed <= ids:
        raise MalformedResponse(f"unknown messages: {sorted(map(str, failed - ids))}")
    return failed
